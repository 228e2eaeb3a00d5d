// SPDX-License-Identifier: LGPL-2.1-or-later
// When events make the scanner look, and at what.
#include "daemon/scanner.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <memory>
#include <vector>

#include "backends/linux/sysfs.h"
#include "fake_backend.h"
#include "fake_clock.h"

namespace cxlmemd {
namespace {

class ListedEvents final : public EventSource {
 public:
    [[nodiscard]] int fd() const override { return ready_.get(); }

    [[nodiscard]] std::vector<Event> take() override {
        eventfd_t ignored = 0;
        ::eventfd_read(ready_.get(), &ignored);
        return std::exchange(events_, {});
    }

    void come(Event event) {
        events_.push_back(std::move(event));
        ::eventfd_write(ready_.get(), 1);
    }

 private:
    sysfs::Fd ready_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::vector<Event> events_;
};

Event block_event(std::uint64_t block) {
    Event out;
    out.scope = Event::Scope::block;
    out.block = BlockIndex{block};
    return out;
}

Event growing(std::uint64_t block) {
    Event out = block_event(block);
    out.growing = true;
    return out;
}

Event complete() {
    Event out;
    out.complete = true;
    return out;
}

class ScannerTest : public ::testing::Test {
 protected:
    ScannerTest() {
        auto fake = std::make_unique<test::FakeBackend>();
        backend = fake.get();
        looks = fake->looks;
        worker.emplace(loop, std::move(fake));
        auto listed = std::make_unique<ListedEvents>();
        events = listed.get();
        scanner.emplace(loop, clock, *worker, std::move(listed),
                        Scanner::Hooks{.scanned =
                                           [this](const Topology&) {
                                               scans.push_back(since_start());
                                               if (on_scan) on_scan();
                                           },
                                       .blocks_read =
                                           [this](const std::vector<BlockIndex>& looked_at, const auto&) {
                                               for (const BlockIndex block : looked_at)
                                                   read.push_back(block.value());
                                               reads.push_back(since_start());
                                               if (on_read) on_read();
                                           },
                                       .removed = [](const std::string&) {},
                                       .failed = [](const Error&) {}});
    }

    // Milliseconds.
    std::uint64_t since_start() const { return (clock.now_usec() - started) / 1000; }

    void after(std::uint64_t milliseconds, std::function<void()> callback) {
        timers.push_back(clock.after(milliseconds * 1000, std::move(callback)));
    }

    // Whatever has come, and what the worker is at.
    void turn() {
        for (;;) {
            const int had_one = ::sd_event_run(loop.raw(), worker->busy() ? 1'000'000 : 0);
            ASSERT_GE(had_one, 0);
            if (had_one == 0 && !worker->busy()) return;
        }
    }
    void run_for(std::uint64_t milliseconds) {
        run_until([&, until = since_start() + milliseconds] { return since_start() >= until; });
    }
    // A minute at most.
    void run_until(const std::function<bool()>& condition) {
        turn();
        for (int ms = 0; ms < 60'000 && !condition(); ++ms) {
            clock.pass(1000);
            turn();
        }
        EXPECT_TRUE(condition());
    }

    EventLoop loop;
    test::FakeClock clock;
    test::FakeBackend* backend = nullptr;
    std::shared_ptr<const std::vector<std::string>> looks;
    std::optional<Worker> worker;
    ListedEvents* events = nullptr;
    std::optional<Scanner> scanner;
    std::vector<Clock::Timer> timers;
    std::uint64_t started = clock.now_usec();
    std::vector<std::uint64_t> scans;
    std::vector<std::uint64_t> read;
    std::vector<std::uint64_t> reads;
    std::function<void()> on_read;
    std::function<void()> on_scan;
};

TEST_F(ScannerTest, ABlockIsReadAlone) {
    events->come(block_event(7));
    run_for(200);
    EXPECT_THAT(read, ::testing::ElementsAre(7));
    EXPECT_THAT(scans, ::testing::IsEmpty());
}

TEST_F(ScannerTest, ABlockThatComesByItselfIsReadWithoutWaitingForMore) {
    run_for(100);
    events->come(block_event(1));
    turn();
    EXPECT_THAT(read, ::testing::ElementsAre(1)) << "and no time has passed";
}

TEST_F(ScannerTest, BlocksThatComeSoonAfterAreGathered) {
    on_read = [&] {
        if (reads.size() != 1) return;
        for (std::uint64_t block = 8; block < 12; ++block)
            after(block - 8, [this, block] { events->come(block_event(block)); });
    };
    events->come(block_event(7));
    run_for(300);
    EXPECT_THAT(read, ::testing::ElementsAre(7, 8, 9, 10, 11));
    ASSERT_GE(reads.size(), 2U);
    EXPECT_LE(reads.size(), 4U) << "four more events, a millisecond apart, are no four reads";
    EXPECT_GE(reads[1] - reads[0], 9U);
}

TEST_F(ScannerTest, WhatGrowsIsLookedAtOnceWhenItHasBeenQuiet) {
    for (std::uint64_t block = 0; block < 12; ++block)
        after(block * 100, [this, block] { events->come(growing(block)); });
    run_for(4000);
    ASSERT_EQ(scans.size(), 1U);
    EXPECT_GE(scans.front(), 1100U) << "while blocks still came";
    EXPECT_THAT(read, ::testing::IsEmpty());
}

TEST_F(ScannerTest, InAStormOfEventsALookIsFollowedByARestOfFourTimesWhatItTook) {
    constexpr std::uint64_t work = 20;
    on_read = [&] { clock.pass(work * 1000); };
    for (std::uint64_t block = 0; block < 1000; ++block)
        after(block, [this, block] { events->come(block_event(block)); });
    run_until([&] { return read.size() == 1000; });  // none is forgotten
    EXPECT_GE(reads.size(), 3U) << "it does not wait for the end";
    for (std::size_t i = 1; i < reads.size(); ++i) EXPECT_GE(reads[i] - reads[i - 1], 5 * work);
}

// A look of 50 ms, and a rest of 200; something comes in the middle.
TEST_F(ScannerTest, WhatSomebodyWaitsForIsLookedAtInTheMiddleOfARest) {
    std::optional<std::uint64_t> looked;
    on_read = [&] {
        clock.pass(50'000);
        after(1, [&] { scanner->rescan([&](const auto&) { looked = since_start(); }); });
    };
    events->come(block_event(1));
    run_until([&] { return looked.has_value(); });
    EXPECT_LT(*looked - reads.front(), 50U + 200U);
}

TEST_F(ScannerTest, WhatIsCompleteIsLookedAtInTheMiddleOfARest) {
    on_read = [&] {
        clock.pass(50'000);
        after(1, [&] { events->come(complete()); });
    };
    events->come(block_event(1));
    run_until([&] { return !scans.empty(); });
    EXPECT_LT(scans.front() - reads.front(), 50U + 200U);
}

// As the bind of a dax device follows its blocks.
TEST_F(ScannerTest, ThatItIsCompleteEndsTheWait) {
    events->come(growing(1));
    after(20, [this] { events->come(complete()); });
    run_for(2500);
    ASSERT_EQ(scans.size(), 2U);
    EXPECT_LT(scans.front(), 900U);
}

TEST_F(ScannerTest, OfWhatIsCompleteTheMemoryIsLookedAtFirstAndThenEverything) {
    events->come(complete());
    run_for(5000);  // no third one
    EXPECT_THAT(*looks, ::testing::ElementsAre("memory", "everything"));
}

TEST_F(ScannerTest, WhoeverWaitsIsShownEverythingThoughMemoryHasBecomeComplete) {
    on_read = [&] {  // while this look lasts, both come
        events->come(complete());
        scanner->rescan([](const auto&) {});
    };
    events->come(block_event(1));
    run_for(5000);  // no other look follows
    EXPECT_THAT(*looks, ::testing::ElementsAre("everything"));
}

TEST_F(ScannerTest, WhoeverWaitsForATopologyWaitsUntilAScanSucceeds) {
    backend->scan_errors = 2;
    std::size_t ends = 0;
    bool told = false;
    scanner->rescan([&](const std::optional<Error>& failed) {
        EXPECT_TRUE(failed);
        ++ends;
    });
    scanner->when_scanned([&] { told = true; });
    run_for(500);
    EXPECT_EQ(ends, 1U) << "who waits for the end was told of the failure";
    EXPECT_FALSE(told);
    EXPECT_THAT(*looks, ::testing::SizeIs(1)) << "it pauses";
    run_for(3000);
    EXPECT_TRUE(told);
    EXPECT_THAT(*looks, ::testing::SizeIs(3));
    EXPECT_THAT(scans, ::testing::SizeIs(1));
}

TEST_F(ScannerTest, AScanThatIsInterruptedIsDiscardedAndFollowedByAnother) {
    std::optional<Error> told;
    backend->before_scan = [this] {
        while (!backend->go_on) ::poll(nullptr, 0, 1000);
    };
    scanner->rescan([&](const std::optional<Error>& failed) { told = failed; });
    scanner->interrupt();
    backend->go_on = true;
    run_until([&] { return !scans.empty(); });
    ASSERT_TRUE(told);
    EXPECT_EQ(told->code, ErrorCode::canceled);
    EXPECT_THAT(*looks, ::testing::ElementsAre("everything", "everything"));
}

TEST_F(ScannerTest, AnotherBlockIsReadWhileSomethingGrows) {
    events->come(growing(1));
    after(20, [this] { events->come(block_event(7)); });
    run_for(500);
    EXPECT_THAT(read, ::testing::ElementsAre(7));
    EXPECT_THAT(scans, ::testing::IsEmpty());
}

}  // namespace
}  // namespace cxlmemd
