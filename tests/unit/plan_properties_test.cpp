// SPDX-License-Identifier: LGPL-2.1-or-later
// plan_device() and predict() on random devices and goals: what must hold whatever the state.
// A failure prints the seed of its case, which random_case(seed) makes again.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "policy/block_order.h"
#include "policy/decide.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

constexpr std::uint32_t cases = 4000;

struct Case {
    Topology topology;
    Goal goal;

    [[nodiscard]] const DaxDevice& device() const { return topology.dax_devices.front(); }
};

class Dice final {
 public:
    explicit Dice(std::uint32_t seed) : engine_(seed) {}

    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>{0, end - 1}(engine_);
    }
    bool one_in(std::size_t n) { return below(n) == 0; }
    template <class T>
    T of(std::initializer_list<T> items) {
        return items.begin()[below(items.size())];
    }
    std::string picture(std::string_view alphabet) {
        std::string out(1 + below(12), ' ');
        for (char& look : out) look = alphabet[below(alphabet.size())];
        return out;
    }

 private:
    std::mt19937 engine_;
};

Goal random_goal(Dice& dice) {
    Goal goal;
    goal.mode = dice.one_in(5) ? dice.of({ModeWish::devdax, ModeWish::famfs}) : ModeWish::system_ram;
    goal.zone = dice.of({ZoneWish::movable, ZoneWish::kernel, ZoneWish::automatic});
    goal.on_conflict = dice.of({OnConflict::rezone, OnConflict::keep});
    switch (dice.below(4)) {
        case 0: goal.amount = AmountAll{}; break;
        case 1: goal.amount = AmountNone{}; break;
        case 2: goal.amount = AmountPercent{static_cast<std::uint32_t>(dice.below(101))}; break;
        default: goal.amount = AmountBytes{Bytes{dice.below(1920) * test::mib}}; break;
    }
    if (dice.one_in(10)) goal.require_node = {NodeId{dice.of({1, 2})}};
    if (goal.zone == ZoneWish::automatic && dice.one_in(2)) goal.split = Split{dice.below(13), 1.0};
    return goal;
}

Case random_case(std::uint32_t seed) {
    Dice dice{seed};
    const DaxMode mode =
        dice.one_in(4) ? dice.of({DaxMode::unbound, DaxMode::devdax, DaxMode::famfs}) : DaxMode::system_ram;
    // Most devices are plain; some have every oddity there is; a few are leaked.
    const std::string_view alphabet =
        mode != DaxMode::system_ram ? (dice.one_in(8) ? "xM." : "x") : (dice.one_in(2) ? "MK." : "MK.mk-x");
    test::TopologyBuilder builder;
    builder.dax("dax0.0", 100, dice.picture(alphabet), mode);
    if (dice.one_in(3)) builder.range(50, dice.picture(alphabet));
    if (dice.one_in(3)) builder.range(200, dice.picture(alphabet));
    if (dice.one_in(4)) builder.no_hotremove();
    Case out{builder.build(), random_goal(dice)};
    DaxDevice& device = out.topology.dax_devices.front();
    if (dice.one_in(4)) {  // not aligned to blocks: the outer ones are no longer whole
        for (PhysRange& range : device.ranges) {
            range = {PhysAddr{range.start.value() + test::mib}, Bytes{range.size.value() - 2 * test::mib}};
        }
    }
    if (dice.one_in(20)) device.target_node = no_node;
    return out;
}

Zone zone_wanted(const Goal& goal) {
    return goal.zone == ZoneWish::kernel ? Zone::kernel : Zone::movable;
}

std::uint64_t online_blocks(const Topology& topology, const DaxDevice& device) {
    const std::vector<Block> blocks = present_blocks(topology, device);
    return static_cast<std::uint64_t>(std::ranges::count(blocks, BlockState::online, &Block::state));
}

std::set<BlockIndex> touched(const DevicePlan& plan) {
    std::set<BlockIndex> out;
    for (const Step& step : plan.steps) out.insert(step.blocks.begin(), step.blocks.end());
    return out;
}

template <class Property>
void for_all(Property property) {
    for (std::uint32_t seed = 1; seed <= cases; ++seed) {
        const Case given = random_case(seed);
        SCOPED_TRACE("seed " + std::to_string(seed) + ": " + test::picture(given.topology, given.device()) +
                     " " + std::string{to_string(given.device().mode)} + ", amount " +
                     to_string(given.goal.amount));
        const DevicePlan plan = plan_device(given.topology, given.device(), given.goal);
        property(given, plan);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(PlanProperties, IsIdempotent) {
    for_all([](const Case& given, const DevicePlan& plan) {
        const Topology then = predict(given.topology, given.device(), plan);
        const DevicePlan again = plan_device(then, then.dax_devices.front(), given.goal);
        EXPECT_EQ(test::words(again.steps), "") << "after " << test::words(plan.steps);
        EXPECT_EQ(again.blocked.has_value(), plan.blocked.has_value());
        EXPECT_EQ(predict(then, then.dax_devices.front(), again), then);
    });
}

TEST(PlanProperties, R9_TouchesOnlyWholeBlocksOfTheDevice) {
    for_all([](const Case& given, const DevicePlan& plan) {
        const std::vector<BlockIndex> whole = whole_blocks(given.device(), given.topology.block_size);
        for (const BlockIndex index : touched(plan)) {
            EXPECT_TRUE(std::ranges::binary_search(whole, index)) << index.value();
        }
    });
}

TEST(PlanProperties, R11_ChangesModeOnlyWithEveryBlockOffline) {
    for_all([](const Case& given, const DevicePlan& plan) {
        Topology now = given.topology;
        for (const Step& step : plan.steps) {
            if (step.kind == StepKind::set_mode) {
                for (const Block& block : present_blocks(now, given.device())) {
                    EXPECT_EQ(block.state, BlockState::offline) << block.index.value();
                }
            }
            DevicePlan one;
            one.steps = {step};
            now = predict(now, given.device(), one);
        }
    });
}

TEST(PlanProperties, R11_NothingIsPlannedForLostMemory) {
    for_all([](const Case& given, const DevicePlan& plan) {
        if (!reboot_required(given.topology, given.device())) return;
        EXPECT_TRUE(plan.steps.empty());
        ASSERT_TRUE(plan.blocked);
        EXPECT_EQ(plan.blocked->code, ErrorCode::reboot_required);
    });
}

TEST(PlanProperties, R8_NothingIsPlannedForANegativeNode) {
    for_all([](const Case& given, const DevicePlan& plan) {
        if (given.device().target_node.value() >= 0 || given.goal.mode != ModeWish::system_ram) return;
        EXPECT_TRUE(plan.steps.empty());
        EXPECT_TRUE(plan.blocked);
    });
}

TEST(PlanProperties, R13_NoOfflineStepWithoutHotRemove) {
    for_all([](const Case& given, const DevicePlan& plan) {
        if (given.topology.features.memory_hotremove) return;
        for (const Step& step : plan.steps) {
            EXPECT_NE(step.kind, StepKind::offline);
            if (step.kind == StepKind::set_mode) {
                EXPECT_NE(given.device().mode, DaxMode::system_ram);
            }
        }
    });
}

TEST(PlanProperties, R15_BlocksThatAreRightOrGoingOfflineAreNotTouched) {
    for_all([](const Case& given, const DevicePlan& plan) {
        if (given.goal.mode != ModeWish::system_ram) return;
        const std::set<BlockIndex> blocks = touched(plan);
        std::uint64_t right = 0;
        std::vector<Block> present = present_blocks(given.topology, given.device());
        std::ranges::reverse(present);
        for (const Block& block : present) {
            if (block.state == BlockState::going_offline) {
                EXPECT_FALSE(blocks.contains(block.index));
            }
            if (given.goal.split) continue;  // then which is right depends on its place
            const bool is_right = block.state == BlockState::online && block.zone == zone_wanted(given.goal);
            if (is_right && ++right <= plan.blocks_wanted) {
                EXPECT_FALSE(blocks.contains(block.index));
            }
        }
    });
}

TEST(PlanProperties, StepsTakeTheirBlocksInTheCheapestOrderWithoutDoubles) {
    for_all([](const Case& given, const DevicePlan& plan) {
        for (const Step& step : plan.steps) {
            std::vector<BlockIndex> sorted = step.blocks;
            EXPECT_EQ(sorted.empty(), step.kind == StepKind::set_mode);
            std::ranges::sort(sorted);
            EXPECT_EQ(std::ranges::adjacent_find(sorted), sorted.end());
            if (step.kind == StepKind::online) {
                EXPECT_EQ(step.blocks, online_order(sorted));
            } else if (step.kind == StepKind::offline && given.device().mode == DaxMode::system_ram) {
                EXPECT_EQ(step.blocks, offline_order(given.topology, sorted));
            }
        }
    });
}

TEST(PlanProperties, BlocksGoOfflineBeforeAnyComesOnline) {
    for_all([](const Case&, const DevicePlan& plan) {
        const auto online = std::ranges::find(plan.steps, StepKind::online, &Step::kind);
        EXPECT_EQ(std::find_if(online, plan.steps.end(),
                               [](const Step& step) { return step.kind != StepKind::online; }),
                  plan.steps.end());
    });
}

TEST(PlanProperties, ReachesTheAmountAsFarAsPossible) {
    for_all([](const Case& given, const DevicePlan& plan) {
        if (given.goal.mode != ModeWish::system_ram) return;
        if (given.goal.split) return;  // a block that may not be what its place asks for is not made up for
        if (plan.steps.empty() && plan.blocked && plan.blocks_wanted == 0) return;  // refused as a whole
        std::uint64_t possible = 0;
        if (given.device().mode == DaxMode::system_ram) {
            for (const Block& block : present_blocks(given.topology, given.device())) {
                const bool allowed =
                    zone_wanted(given.goal) == Zone::movable ? block.movable_allowed : block.kernel_allowed;
                if (block.state == BlockState::online) ++possible;
                if (block.state == BlockState::offline && allowed) ++possible;
            }
        } else {
            possible = whole_blocks(given.device(), given.topology.block_size).size();
        }
        const Topology then = predict(given.topology, given.device(), plan);
        const std::uint64_t online = online_blocks(then, given.device());
        std::uint64_t expected = std::min(plan.blocks_wanted, possible);
        if (!given.topology.features.memory_hotremove) {  // what is online stays online
            expected = std::max(expected, online_blocks(given.topology, given.device()));
        }
        EXPECT_EQ(online, expected);
        if (online != plan.blocks_wanted) {
            EXPECT_TRUE(plan.blocked);
        }
    });
}

TEST(PlanProperties, WhateverIsNotBlockedEndsInTheWantedZone) {
    for_all([](const Case& given, const DevicePlan& plan) {
        if (given.goal.mode != ModeWish::system_ram || plan.blocked) return;
        const Topology then = predict(given.topology, given.device(), plan);
        std::uint64_t kept = 0;
        std::uint64_t movable = 0;
        for (const Block& block : present_blocks(then, given.device())) {
            if (block.state != BlockState::online) continue;
            if (block.zone != zone_wanted(given.goal)) ++kept;
            if (block.zone == Zone::movable) ++movable;
        }
        if (given.goal.on_conflict == OnConflict::rezone && given.goal.split) {
            EXPECT_EQ(movable, std::min(given.goal.split->movable_blocks, plan.blocks_wanted));
        } else if (given.goal.on_conflict == OnConflict::rezone) {
            EXPECT_EQ(kept, 0U);
        }
        const DevicePlan again = plan_device(then, then.dax_devices.front(), given.goal);
        EXPECT_EQ(again.blocks_right, again.blocks_wanted);
    });
}

TEST(PlanProperties, AlwaysGivesAReason) {
    for_all([](const Case& given, const DevicePlan& plan) {
        EXPECT_FALSE(plan.reason.empty());
        if (plan.blocked) {
            EXPECT_EQ(plan.blocked->object, given.device().id.name);
            EXPECT_NE(plan.reason.find(plan.blocked->reason), std::string::npos);
        }
    });
}

}  // namespace
}  // namespace cxlmemd
