// SPDX-License-Identifier: LGPL-2.1-or-later
// Events that get lost, come twice, late, in the wrong order, or by the hundred thousand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/emulator_world.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EmulatorEventFaults : public ::testing::Test {
 protected:
    // Which blocks, in which order, the events were about; 99 for those about everything.
    std::vector<std::uint64_t> blocks(const std::vector<Event>& events) {
        std::vector<std::uint64_t> out;
        for (const Event& event : events) {
            const bool one = event.scope == Event::Scope::block;
            out.push_back(one ? event.block.value() - World::block(0).value() : 99);
        }
        return out;
    }
    void online(std::initializer_list<std::uint64_t> all) {
        for (const std::uint64_t nth : all) ASSERT_TRUE(world.online(owner, nth));
    }

    World world{""};
    DaxIdentity owner = world.dax()->id;
};

TEST_F(EmulatorEventFaults, TheNthOfAKindIsLostOrComesTwice) {
    ASSERT_TRUE(world.inject("lose-events", {{"uevent", "memory online"}, {"nth", std::int64_t{2}}}));
    ASSERT_TRUE(world.inject("double-events", {{"uevent", "memory"}, {"nth", std::int64_t{3}}}));
    online({0, 1, 2, 3});
    EXPECT_THAT(blocks(world.events()), ElementsAre(99, 0, 2, 2, 3));
}

TEST_F(EmulatorEventFaults, ADelayedEventComesInItsTime) {
    online({9});
    static_cast<void>(world.events());
    ASSERT_TRUE(world.inject("delay-events", {{"usec", "7ms"}}));
    online({0, 1});
    EXPECT_THAT(blocks(world.events()), ElementsAre(1));
    EXPECT_FALSE(world.is_readable());
    world.clock->advance(7'000);
    EXPECT_TRUE(world.is_readable());
    EXPECT_THAT(blocks(world.events()), ElementsAre(0));
    EXPECT_FALSE(world.clock->is_armed());
}

TEST_F(EmulatorEventFaults, AReorderedEventIsOvertakenOrComesAnyway) {
    online({9});
    static_cast<void>(world.events());
    ASSERT_TRUE(world.inject("reorder-events", {{"behind", std::int64_t{2}}, {"usec", "1s"}}));
    online({0, 1, 2, 3});
    EXPECT_THAT(blocks(world.events()), ElementsAre(1, 2, 0, 3));
    ASSERT_TRUE(world.inject("reorder-events", {{"behind", std::int64_t{2}}, {"usec", "1s"}}));
    online({4, 5});
    EXPECT_THAT(blocks(world.events()), ElementsAre(5));
    world.clock->advance(1'000'000);
    EXPECT_THAT(blocks(world.events()), ElementsAre(4));
}

TEST_F(EmulatorEventFaults, AStormIsDeliveredWholeBeforeWhatComesAfterIt) {
    ASSERT_TRUE(world.inject("storm", {{"dax", "dax0.0"}}));
    online({5});
    std::vector<std::uint64_t> all;
    while (world.is_readable()) {
        const std::vector<std::uint64_t> some = blocks(world.events());
        ASSERT_FALSE(some.empty());
        all.insert(all.end(), some.begin(), some.end());
    }
    ASSERT_EQ(all.size(), 100'002U);
    EXPECT_EQ(std::ranges::count(all, 31U), 100'000 / 32);
    EXPECT_EQ(all.back(), 5U);
}

TEST_F(EmulatorEventFaults, ProbabilityDecidesAndClearingEndsIt) {
    ASSERT_TRUE(world.inject("lose-events", {{"probability", 1.0}}));
    online({0, 1, 2});
    EXPECT_THAT(world.events(), IsEmpty());
    ASSERT_TRUE(world.inject("clear-faults", {}));
    online({3});
    EXPECT_THAT(blocks(world.events()), ElementsAre(3));
}

}  // namespace
}  // namespace cxlmemd::emulator
