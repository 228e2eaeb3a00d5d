// When events make the scanner look, and at what.
#include "daemon/scanner.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "backends/linux/sysfs.h"
#include "fake_backend.h"

namespace cxlmemd {
namespace {

using Clock = std::chrono::steady_clock;

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
                                               reads.push_back(Clock::now());
                                               if (on_read) on_read();
                                           },
                                       .removed = [](const std::string&) {},
                                       .failed = [](const Error&) {}});
    }

    std::chrono::milliseconds since_start() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
    }

    void after(std::uint64_t milliseconds, EventLoop::Callback callback) {
        timers.push_back(loop.add_timer(milliseconds * 1000, std::move(callback)));
    }

    void run_for(std::uint64_t milliseconds) {
        after(milliseconds, [this] { loop.exit(0); });
        loop.run();
    }

    EventLoop loop;
    LoopClock clock{loop};
    test::FakeBackend* backend = nullptr;
    std::shared_ptr<const std::vector<std::string>> looks;
    std::optional<Worker> worker;
    ListedEvents* events = nullptr;
    std::optional<Scanner> scanner;
    std::vector<EventLoop::Source> timers;
    Clock::time_point started = Clock::now();
    std::vector<std::chrono::milliseconds> scans;
    std::vector<std::uint64_t> read;
    std::vector<Clock::time_point> reads;
    EventLoop::Callback on_read;
    EventLoop::Callback on_scan;
};

TEST_F(ScannerTest, ABlockIsReadAlone) {
    events->come(block_event(7));
    run_for(200);
    EXPECT_THAT(read, ::testing::ElementsAre(7));
    EXPECT_THAT(scans, ::testing::IsEmpty());
}

TEST_F(ScannerTest, ABlockThatComesByItselfIsReadWithoutWaitingForMore) {
    // On a crowded machine the worker may be late now and then, but not each time.
    EventLoop::Source limit;
    bool in_time = false;
    std::uint64_t turn = 0;
    const EventLoop::Callback one = [&] {
        if (in_time || turn == 50) return loop.exit(0);
        events->come(block_event(++turn));
        limit = loop.add_timer(8'000, [&] { limit.reset(); });  // what comes together is gathered for ten
    };
    on_read = [&] {
        in_time = static_cast<bool>(limit);
        after(20, one);
    };
    one();
    ASSERT_EQ(loop.run(), 0);
    EXPECT_TRUE(in_time);
    EXPECT_EQ(read.front(), 1U);
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
    EXPECT_GE(reads[1] - reads[0], std::chrono::milliseconds{9});
}

TEST_F(ScannerTest, WhatGrowsIsLookedAtOnceWhenItHasBeenQuiet) {
    for (std::uint64_t block = 0; block < 12; ++block)
        after(block * 100, [this, block] { events->come(growing(block)); });
    run_for(4000);
    ASSERT_EQ(scans.size(), 1U);
    EXPECT_GE(scans.front().count(), 1100) << "while blocks still came";
    EXPECT_THAT(read, ::testing::IsEmpty());
}

TEST_F(ScannerTest, InAStormOfEventsALookIsFollowedByARestOfFourTimesWhatItTook) {
    constexpr std::chrono::milliseconds work{20};
    on_read = [=, this] {
        std::this_thread::sleep_for(work);
        if (read.size() == 1000) loop.exit(0);
    };
    for (std::uint64_t block = 0; block < 1000; ++block)
        after(block, [this, block] { events->come(block_event(block)); });
    after(60'000, [this] { loop.exit(1); });
    EXPECT_EQ(loop.run(), 0) << "none is forgotten";
    EXPECT_GE(reads.size(), 3U) << "it does not wait for the end";
    for (std::size_t i = 1; i < reads.size(); ++i)
        EXPECT_GE(reads[i] - reads[i - 1], 5 * work - std::chrono::milliseconds{1});
}

// A look of 50 ms, and a rest of 200; something comes in the middle.
TEST_F(ScannerTest, WhatSomebodyWaitsForIsLookedAtInTheMiddleOfARest) {
    Clock::time_point looked;
    on_read = [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
        after(1, [&] {
            scanner->rescan([&](const auto&) {
                looked = Clock::now();
                loop.exit(0);
            });
        });
    };
    events->come(block_event(1));
    after(60'000, [this] { loop.exit(1); });
    ASSERT_EQ(loop.run(), 0);
    EXPECT_LT(looked - reads.front(), std::chrono::milliseconds{50 + 200});
}

TEST_F(ScannerTest, WhatIsCompleteIsLookedAtInTheMiddleOfARest) {
    on_read = [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
        after(1, [&] { events->come(complete()); });
    };
    on_scan = [this] { loop.exit(0); };
    events->come(block_event(1));
    after(60'000, [this] { loop.exit(1); });
    ASSERT_EQ(loop.run(), 0);
    EXPECT_LT(Clock::now() - reads.front(), std::chrono::milliseconds{50 + 200});
}

// As the bind of a dax device follows its blocks.
TEST_F(ScannerTest, ThatItIsCompleteEndsTheWait) {
    events->come(growing(1));
    after(20, [this] { events->come(complete()); });
    run_for(2500);
    ASSERT_EQ(scans.size(), 2U);
    EXPECT_LT(scans.front().count(), 900);
}

TEST_F(ScannerTest, OfWhatIsCompleteTheMemoryIsLookedAtFirstAndThenEverything) {
    on_scan = [this] {
        if (scans.size() == 2) after(100, [this] { loop.exit(0); });  // no third one
    };
    events->come(complete());
    after(60'000, [this] { loop.exit(1); });
    ASSERT_EQ(loop.run(), 0);
    EXPECT_THAT(*looks, ::testing::ElementsAre("memory", "everything"));
}

TEST_F(ScannerTest, WhoeverWaitsIsShownEverythingThoughMemoryHasBecomeComplete) {
    on_read = [&] {  // while this look lasts, both come
        events->come(complete());
        scanner->rescan(
            [this](const auto&) { after(100, [this] { loop.exit(0); }); });  // no other look follows
    };
    events->come(block_event(1));
    after(60'000, [this] { loop.exit(1); });
    ASSERT_EQ(loop.run(), 0);
    EXPECT_THAT(*looks, ::testing::ElementsAre("everything"));
}

TEST_F(ScannerTest, WhoeverWaitsForATopologyWaitsUntilAScanSucceeds) {
    backend->scan_errors = 1;
    std::size_t ends = 0;
    scanner->rescan([&](const std::optional<Error>& failed) {
        EXPECT_TRUE(failed);
        ++ends;
    });
    scanner->when_scanned([&] {
        EXPECT_EQ(scans.size(), 1U);
        EXPECT_EQ(ends, 1U) << "who waits for the end was told of the failure";
        loop.exit(0);
    });
    after(60'000, [this] { loop.exit(1); });
    ASSERT_EQ(loop.run(), 0);
}

TEST_F(ScannerTest, AScanThatIsInterruptedIsDiscardedAndFollowedByAnother) {
    std::optional<Error> told;
    backend->before_scan = [this] {
        while (!backend->go_on) ::poll(nullptr, 0, 1000);
    };
    scanner->rescan([&](const std::optional<Error>& failed) { told = failed; });
    scanner->interrupt();
    backend->go_on = true;
    on_scan = [this] { loop.exit(0); };
    after(60'000, [this] { loop.exit(1); });
    ASSERT_EQ(loop.run(), 0);
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
