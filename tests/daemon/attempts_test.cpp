// SPDX-License-Identifier: LGPL-2.1-or-later
// Trying again, and blocks that are still arriving, on a clock that passes when it is told to.
#include "daemon/attempts.h"

#include <gtest/gtest.h>

#include "daemon/arrival.h"
#include "fake_clock.h"

namespace cxlmemd {
namespace {

constexpr RetrySettings retry{.initial_usec = 1'000, .max_usec = 3'000, .attempts = 4};

TEST(Attempts, PausesGrowUpToTheLongestAndThenItGivesUp) {
    test::FakeClock clock;
    Attempts attempts;
    int overs = 0;
    for (const std::uint64_t pause : {1'000U, 2'000U, 3'000U}) {
        ASSERT_TRUE(attempts.failed(clock, retry, [&] { ++overs; }));
        clock.pass(pause - 1);
        EXPECT_TRUE(attempts.waiting());
        clock.pass(1);
        EXPECT_TRUE(attempts.ready());
    }
    EXPECT_FALSE(attempts.failed(clock, retry, [&] { ++overs; }));
    EXPECT_TRUE(attempts.given_up());
    EXPECT_EQ(overs, 3);
    EXPECT_EQ(clock.waiting(), 0U);
    attempts.resume();
    EXPECT_TRUE(attempts.given_up());
    attempts.reset();
    EXPECT_TRUE(attempts.ready());
    EXPECT_EQ(attempts.failures(), 0U);
}

TEST(Attempts, WaitingForRoomCountsAsNoFailure) {
    test::FakeClock clock;
    Attempts attempts;
    ASSERT_TRUE(attempts.failed(clock, retry, [] { FAIL() << "its pause was ended"; }));
    attempts.wait_for_room();
    clock.pass(10'000);
    EXPECT_TRUE(attempts.no_room());
    EXPECT_EQ(attempts.failures(), 1U);
    attempts.resume();
    EXPECT_TRUE(attempts.ready());
}

TEST(Arrival, LastsUntilNoneHasComeForASecond) {
    test::FakeClock clock;
    Arrival arrival;
    int overs = 0;
    const auto more = [&](std::size_t present) {
        return arrival.more_may_come(present, clock, [&] { ++overs; });
    };
    EXPECT_TRUE(more(1));
    clock.pass(900'000);
    EXPECT_TRUE(more(2));
    clock.pass(900'000);
    EXPECT_TRUE(more(2)) << "the same: the gap goes on";
    EXPECT_EQ(overs, 0);
    clock.pass(100'000);
    EXPECT_EQ(overs, 1);
    EXPECT_FALSE(more(2));
    EXPECT_TRUE(more(3)) << "one more after all";
    arrival.complete();
    EXPECT_EQ(clock.waiting(), 0U);
}

}  // namespace
}  // namespace cxlmemd
