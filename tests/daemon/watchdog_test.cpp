// SPDX-License-Identifier: LGPL-2.1-or-later
// What feeds the watchdog and what does not, and calls into the kernel that do not come back.
#include "daemon/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "daemon/worker.h"
#include "fake_backend.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t short_usec = 20'000;
constexpr std::uint64_t an_hour_usec = 3'600'000'000;

using Given = std::function<void()>;

TEST(Watchdog, FeedsAtOnceAndThenOnceARoundWhileAllProofsCome) {
    EventLoop loop;
    int rounds = 0;
    int feeds = 0;
    const Watchdog watchdog{
        loop,
        short_usec,
        {{"one", [&](const Given& given) { given(); }},
         {"two",
          [&](const Given& given) {
              if (++rounds == 4) return loop.exit(0);
              given();
          }}},
        {.feed = [&] { ++feeds; }, .starves = [](const std::string& name) { FAIL() << name; }}};
    loop.run();
    EXPECT_EQ(feeds, 1 + 3);
}

TEST(Watchdog, AProofThatIsMissingStarvesItAndIsNamedOnce) {
    EventLoop loop;
    int rounds = 0;
    std::vector<std::string> events;
    const Watchdog watchdog{loop,
                            short_usec,
                            {{"the worker", [](const Given& given) { given(); }},
                             {"the bus",
                              [&](const Given& given) {
                                  ++rounds;
                                  if (rounds == 4) given();
                                  if (rounds == 6) loop.exit(0);
                              }}},
                            {.feed = [&] { events.emplace_back("fed"); },
                             .starves = [&](const std::string& name) { events.push_back(name); }}};
    loop.run();
    EXPECT_THAT(events, ElementsAre("fed", "the bus", "fed", "the bus"));
}

TEST(Watchdog, AProofOfAnOlderRoundComesTooLate) {
    EventLoop loop;
    std::vector<Given> promises;
    int feeds = 0;
    const Watchdog watchdog{loop,
                            short_usec,
                            {{"the bus",
                              [&](const Given& given) {
                                  promises.push_back(given);
                                  if (promises.size() == 3) loop.exit(0);
                              }}},
                            {.feed = [&] { ++feeds; }, .starves = [](const std::string&) {}}};
    loop.run();
    promises[0]();
    promises[1]();
    EXPECT_EQ(feeds, 1);
    promises[2]();
    EXPECT_EQ(feeds, 2);
}

// Where a thread waits until the test lets it go on.
class Barrier {
 public:
    void wait() {
        std::unique_lock lock{mutex_};
        arrived_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    void wait_for_arrival() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return arrived_; });
    }
    void open() {
        const std::lock_guard lock{mutex_};
        open_ = true;
        changed_.notify_all();
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool arrived_ = false;
    bool open_ = false;
};

class WorkerLifeTest : public ::testing::Test {
 protected:
    std::unique_ptr<FakeBackend> backend() {
        auto made = std::make_unique<FakeBackend>();
        made->add(7, BlockState::offline, Zone::none);
        made->before_write = [this](BlockIndex) { barrier_.wait(); };
        return made;
    }

    static Worker::Task write(const std::function<void()>& done) {
        return [done](Backend& backend) -> Worker::Completion {
            DaxIdentity owner;
            owner.name = "dax0.0";
            static_cast<void>(backend.set_block(owner, BlockIndex{7}, BlockTarget::offline));
            return done;
        };
    }

    EventLoop loop_;
    Barrier barrier_;
};

TEST_F(WorkerLifeTest, AnIdleThreadProvesItselfByTakingATask) {
    Worker worker{loop_, backend()};
    worker.prove([&] { loop_.exit(5); });
    EXPECT_EQ(loop_.run(), 5);
}

TEST_F(WorkerLifeTest, AThreadInsideACallIsAliveHoweverLong) {
    Worker worker{loop_, backend()};
    worker.submit(write([&] { loop_.exit(0); }));
    barrier_.wait_for_arrival();
    for (int i = 0; i < 3; ++i) {
        bool alive = false;
        worker.prove([&] { alive = true; });
        EXPECT_TRUE(alive);
    }
    barrier_.open();
    loop_.run();
}

TEST_F(WorkerLifeTest, ProgressIsToldTogetherWithWhatCompletedBeforeIt) {
    Worker worker{loop_, backend()};
    std::vector<std::string> told;
    worker.submit([&](Backend&) -> Worker::Completion { return [&] { told.emplace_back("completed"); }; });
    worker.submit(
        [&](Backend&) -> Worker::Completion {
            worker.progress(7);
            barrier_.wait();
            return [&] { loop_.exit(0); };
        },
        [&](std::uint64_t reached) {
            told.push_back("progress " + std::to_string(reached));
            barrier_.open();  // never, if the progress gets lost
        });
    barrier_.wait_for_arrival();  // both have happened before the loop looks
    const auto patience = loop_.add_timer(20'000'000, [&] { barrier_.open(); });
    loop_.run();
    EXPECT_THAT(told, ::testing::UnorderedElementsAre("completed", "progress 7"));
}

TEST_F(WorkerLifeTest, AThreadThatHangsInCodeOfOursIsNot) {
    Worker worker{loop_, backend()};
    worker.submit([this](Backend&) -> Worker::Completion {
        barrier_.wait();
        return {};
    });
    barrier_.wait_for_arrival();
    bool alive = false;
    worker.prove([&] {
        alive = true;
        loop_.exit(0);
    });
    EXPECT_FALSE(alive);
    barrier_.open();
    loop_.run();
    EXPECT_TRUE(alive);
}

TEST_F(WorkerLifeTest, ACallThatTakesTooLongIsNamedOnceAndItsReturnToo) {
    Worker worker{loop_, backend(), {.call_usec = short_usec, .vain_usec = an_hour_usec}};
    std::vector<std::string> events;
    worker.on_stuck({.stuck =
                         [&](const std::string& what) {
                             events.push_back(what);
                             barrier_.open();
                         },
                     .back = [&] { events.emplace_back("back"); }});
    worker.submit(write([&] { loop_.exit(0); }));
    loop_.run();
    ASSERT_EQ(events.size(), 2U);
    EXPECT_THAT(events[0], HasSubstr("memory block 7 of dax0.0"));
    EXPECT_EQ(events[1], "back");
}

TEST_F(WorkerLifeTest, ACallThatWasInterruptedInVainIsStuckSooner) {
    Worker worker{loop_, backend(), {.call_usec = an_hour_usec, .vain_usec = short_usec}};
    bool stuck = false;
    worker.on_stuck({.stuck =
                         [&](const std::string&) {
                             stuck = true;
                             barrier_.open();
                         },
                     .back = [] {}});
    const auto task = worker.submit(write([&] { loop_.exit(0); }));
    barrier_.wait_for_arrival();
    worker.interrupt(task);
    loop_.run();
    EXPECT_TRUE(stuck);
}

TEST_F(WorkerLifeTest, QuickCallsAreNeverStuck) {
    barrier_.open();
    Worker worker{loop_, backend(), {.call_usec = an_hour_usec, .vain_usec = an_hour_usec}};
    worker.on_stuck({.stuck = [](const std::string& what) { FAIL() << what; }, .back = [] { FAIL(); }});
    int left = 100;
    for (int i = 0; i < 100; ++i) {
        worker.submit(write([&] {
            if (--left == 0) loop_.exit(0);
        }));
    }
    loop_.run();
}

}  // namespace
}  // namespace cxlmemd
