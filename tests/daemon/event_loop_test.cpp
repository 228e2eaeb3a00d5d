// SPDX-License-Identifier: LGPL-2.1-or-later
// Deadlines: what the loop keeps itself, without a timer of the kernel.
#include "daemon/event_loop.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;

TEST(EventLoop, MeetsDeadlinesInTheirOrder) {
    EventLoop loop;
    std::vector<std::string> met;
    const auto last = loop.add_deadline(6'000, [&] { loop.exit(7); });
    const auto second = loop.add_deadline(4'000, [&] { met.emplace_back("second"); });
    const auto first = loop.add_deadline(2'000, [&] { met.emplace_back("first"); });
    EXPECT_EQ(loop.run(), 7);
    EXPECT_THAT(met, ElementsAre("first", "second"));
}

TEST(EventLoop, MeetsADeadlineThoughOtherThingsHappenAllTheTime) {
    EventLoop loop;
    std::uint64_t turns = 0;
    EventLoop::Source busy;
    const std::function<void()> again = [&] {
        ++turns;
        busy = loop.add_deferred(again);
    };
    again();
    const auto end = loop.add_deadline(5'000, [&] { loop.exit(0); });
    loop.run();
    EXPECT_GT(turns, 1U);
}

TEST(EventLoop, ADeadlineThatWasTakenBackIsNotMet) {
    EventLoop loop;
    bool met = false;
    auto moot = loop.add_deadline(1'000, [&] { met = true; });
    const auto taker = loop.add_deadline(500, [&] { moot.reset(); });
    const auto end = loop.add_timer(5'000, [&] { loop.exit(0); });
    loop.run();
    EXPECT_FALSE(met);
}

TEST(EventLoop, ADeadlineMaySetTheNextAndEndItself) {
    EventLoop loop;
    int met = 0;
    EventLoop::Source deadline;
    const std::function<void()> next = [&] {
        if (++met == 3) return loop.exit(0);
        deadline.reset();
        deadline = loop.add_deadline(100, next);
    };
    deadline = loop.add_deadline(0, next);
    loop.run();
    EXPECT_EQ(met, 3);
}

TEST(EventLoop, WhatADeadlineThrowsComesOutOfRun) {
    EventLoop loop;
    const auto bad = loop.add_deadline(0, [] { throw std::string{"mine"}; });
    EXPECT_THROW(loop.run(), std::string);
}

}  // namespace
}  // namespace cxlmemd
