// SPDX-License-Identifier: LGPL-2.1-or-later
// daxX.Y/state of 7.3 in plans, and what is said of it.
#include "policy/state_plan.h"

#include <gmock/gmock.h>

#include <array>
#include <string>
#include <utility>

#include "policy/decide.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::goal;
using test::one_device;
using test::picture;
using test::words;
using ::testing::HasSubstr;

DevicePlan plan_of(const Topology& topology, const Goal& wish) {
    return plan_device(topology, topology.dax_devices.front(), wish);
}

std::string after(const Topology& topology, const DevicePlan& plan) {
    const Topology then = predict(topology, topology.dax_devices.front(), plan);
    return picture(then, then.dax_devices.front());
}

Topology with_state(std::string_view picture, HotplugState state) {
    Topology topology = one_device(picture);
    topology.features.dax_state = true;
    topology.dax_devices[0].hotplug_state = state;
    return topology;
}

Goal by_state(Amount amount = AmountAll{}, ZoneWish zone = ZoneWish::movable) {
    Goal out = goal(amount, zone);
    out.online_by = OnlineBy::state;
    return out;
}

// online_by = "state": what one write to daxX.Y/state can do, and what it cannot.
TEST(PlanByState, TakesWholeDevicesAndNothingElse) {
    using enum HotplugState;
    struct Case {
        std::string_view picture;
        HotplugState state;
        Goal goal;
        std::string_view steps;
        std::string_view after;
        std::string_view words;
    };
    const Amount no_block = AmountNone{};
    for (const Case& row : {
             Case{"xx", unplugged, by_state(), "online movable by state 100 101", "MM",
                  "by one write to its state"},
             Case{"..", offline, by_state(), "unplug; online movable by state 100 101", "MM", "by one write"},
             Case{"..", offline, by_state(AmountAll{}, ZoneWish::kernel),
                  "unplug; online kernel by state 100 101", "KK", "by one write"},
             Case{"KK", online_kernel, by_state(),
                  "offline by state 100 101; online movable by state 100 101", "MM", "by one write"},
             Case{"K.", offline, by_state(), "offline by state 100 101; online movable by state 100 101",
                  "MM", "by one write"},
             Case{"M.", offline, by_state(), "online movable 101", "MM", "a part of it stays as it is"},
             Case{"MM", offline, by_state(), "", "MM", "2 of 2 blocks are online"},
             Case{"..", offline, by_state(AmountPercent{50}), "online movable 101", ".M", "block by block"},
             Case{"xx", unplugged, by_state(AmountPercent{50}),
                  "set-mode unbound; set-mode system-ram; online movable 101", ".M", "'unplugged'"},
             Case{".m", offline, by_state(AmountAll{}, ZoneWish::kernel), "online kernel 100", "Km",
                  "block by block"},
             Case{"M-", offline, by_state(no_block), "offline 100", ".-", "block by block"},
             Case{"MK", online_movable, by_state(no_block), "offline by state 100 101", "xx", "by one write"},
             Case{"..", online_movable, by_state(no_block), "", "..", "no block is online"},
             Case{"xx", unplugged, by_state(no_block), "", "xx", "no block is online"},
         }) {
        const Topology topology = with_state(row.picture, row.state);
        const DevicePlan plan = plan_of(topology, row.goal);
        EXPECT_EQ(words(plan.steps), row.steps) << row.picture;
        EXPECT_EQ(after(topology, plan), row.after) << row.picture;
        EXPECT_THAT(plan.reason, HasSubstr(std::string{row.words})) << row.picture;
        const Topology then = predict(topology, topology.dax_devices[0], plan);
        EXPECT_TRUE(plan_of(then, row.goal).steps.empty()) << row.picture;
    }
}

TEST(PlanByState, FallsBackToBlocksAndSaysSoOnAKernelWithoutIt) {
    const DevicePlan plan = plan_of(one_device(".."), by_state());
    EXPECT_EQ(words(plan.steps), "online movable 101 100");
    EXPECT_THAT(plan.reason, HasSubstr("this kernel has no daxX.Y/state"));
    EXPECT_THAT(plan_of(one_device("MM"), by_state()).reason, HasSubstr("this kernel has no daxX.Y/state"));
    Topology newer = one_device("..");
    newer.features.dax_state = true;
    EXPECT_THAT(plan_of(newer, by_state()).reason, HasSubstr("its daxX.Y/state cannot be read"));
}

TEST(PlanByState, NeverWhereAPoisonedBlockWouldComeBackOrMemoryCannotBeRemoved) {
    Topology topology = with_state("...", HotplugState::offline);
    topology.poisoned = {BlockIndex{101}};
    EXPECT_EQ(words(plan_of(topology, by_state()).steps), "online movable 102 100");
    topology.poisoned.clear();
    topology.features.memory_hotremove = false;
    EXPECT_EQ(words(plan_of(topology, by_state()).steps), "online movable 102 101 100");
    EXPECT_THAT(plan_of(topology, by_state()).reason, HasSubstr("cannot hot-remove"));
}

TEST(PlanByState, ASplitThatARatioMayMakeGoesBlockByBlock) {
    const Topology topology = with_state("..", HotplugState::offline);
    Goal goal = by_state(AmountAll{}, ZoneWish::automatic);
    EXPECT_EQ(words(plan_of(topology, goal).steps), "unplug; online movable by state 100 101");
    goal.split = Split{.movable_blocks = 2, .max_ratio = 3};
    EXPECT_EQ(words(plan_of(topology, goal).steps), "online movable 101 100");
    EXPECT_THAT(plan_of(topology, goal).reason, HasSubstr("max_movable_ratio"));
}

TEST(PlanByState, AfterTheBindTheStateIsUsed) {
    Topology topology = one_device("xx", DaxMode::devdax);
    topology.features.dax_state = true;
    EXPECT_EQ(words(plan_of(topology, by_state()).steps),
              "set-mode system-ram; unplug; online movable by state 100 101");
    EXPECT_EQ(after(topology, plan_of(topology, by_state())), "MM");
}

TEST(HotplugNote, IsOfAStateThatDisagreesWithTheBlocks) {
    using enum HotplugState;
    const auto note = [](std::string_view picture, HotplugState state) {
        const Topology topology = with_state(picture, state);
        return hotplug_note(topology, topology.dax_devices[0]);
    };
    EXPECT_THAT(note("MM", offline),
                HasSubstr("its state reads 'offline', and 2 of its 2 memory blocks are online"));
    EXPECT_THAT(note("M.", online_movable), HasSubstr("1 of its 2"));
    EXPECT_THAT(note("MK", online_movable), HasSubstr("(1 of them movable)"));
    EXPECT_THAT(note("..", online), HasSubstr("0 of its 2"));
    EXPECT_THAT(note("KM", online_kernel), HasSubstr("'online_kernel'"));
    for (const auto& [picture, state] : {std::pair<std::string_view, HotplugState>{"MM", online_movable},
                                         {"MK", online},
                                         {"KK", online_kernel},
                                         {"..", offline},
                                         {"xx", unplugged},
                                         {"M-", offline}})
        EXPECT_EQ(note(picture, state), "") << picture;
    const Topology without = one_device("MM");
    EXPECT_EQ(hotplug_note(without, without.dax_devices[0]), "");
    // A block that cannot be read is not in the topology; it may be online all the same.
    Topology unreadable = with_state(".x", online);
    ASSERT_NE(hotplug_note(unreadable, unreadable.dax_devices[0]), "");
    unreadable.unreadable.push_back({.what = "memory block 101",
                                     .where = unreadable.dax_devices[0].ranges.front(),
                                     .memdev = {},
                                     .errnum = EIO});
    EXPECT_EQ(hotplug_note(unreadable, unreadable.dax_devices[0]), "");
}

}  // namespace
}  // namespace cxlmemd
