// SPDX-License-Identifier: LGPL-2.1-or-later
// The way back of a job that failed: from what it did to how it was.
#include "daemon/put_back.h"

#include <gmock/gmock.h>

#include <utility>

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr auto b = [](std::uint64_t i) { return BlockIndex{i}; };
constexpr std::uint64_t MiB128 = 128ULL << 20;

class PutBack : public ::testing::Test {
 protected:
    PutBack() {
        topology.block_size = Bytes{MiB128};
        DaxDevice device;
        device.id = {.name = "dax0.0", .region = "region0", .start = PhysAddr{8 * MiB128}, .serials = {1}};
        device.target_node = NodeId{1};
        device.size = Bytes{4 * MiB128};
        device.ranges = {{PhysAddr{8 * MiB128}, Bytes{4 * MiB128}}};
        device.mode = DaxMode::system_ram;
        topology.dax_devices = {device};
        for (std::uint64_t i = 8; i < 12; ++i) {
            topology.blocks.push_back({.index = b(i),
                                       .state = BlockState::offline,
                                       .zone = Zone::none,
                                       .kernel_allowed = true,
                                       .movable_allowed = true,
                                       .node = NodeId{1}});
        }
    }
    void set(std::uint64_t index, Zone zone) {
        Block& block = topology.blocks[index - 8];
        block.zone = zone;
        block.state = zone == Zone::none ? BlockState::offline : BlockState::online;
    }
    DaxDevice& device() { return topology.dax_devices.front(); }
    std::optional<DeviceStep> next(const JobFailures* failures = nullptr) const {
        return put_back_step(topology.dax_devices.front().id, undo, failures, topology);
    }
    // Carries out one step.
    void follow(const DeviceStep& step) {
        if (step.step.kind == StepKind::set_mode) device().mode = step.step.mode;
        for (const BlockIndex block : step.step.blocks) set(block.value(), step.step.zone);
    }

    Topology topology;
    JobUndo undo;
};

TEST_F(PutBack, WhatIsAsItWasNeedsNoStep) {
    set(8, Zone::movable);
    undo.blocks = {{b(8), Zone::movable}, {b(9), Zone::none}};
    EXPECT_FALSE(next());
    EXPECT_EQ(not_put_back(device().id, undo, topology), "");
}

TEST_F(PutBack, ADriverThatWasLeftComesBackBeforeTheBlocks) {
    device().mode = DaxMode::unbound;
    undo.drivers = {{device().id, DaxMode::system_ram}};
    undo.blocks = {{b(8), Zone::movable}};
    const auto driver = next();
    ASSERT_TRUE(driver);
    EXPECT_EQ(driver->step.kind, StepKind::set_mode);
    EXPECT_EQ(driver->step.mode, DaxMode::system_ram);
    EXPECT_THAT(not_put_back(device().id, undo, topology), HasSubstr("is in mode unbound"));
}

TEST_F(PutBack, WhatTheKernelOnlinesAtTheBindGoesToTheZoneAndTheAmountThatWere) {
    undo.drivers = {{device().id, DaxMode::system_ram}};
    undo.blocks = {{b(10), Zone::movable}, {b(11), Zone::kernel}};
    for (std::uint64_t i = 8; i < 12; ++i) set(i, Zone::kernel);
    const auto offline = next();
    ASSERT_TRUE(offline);
    EXPECT_EQ(offline->step.kind, StepKind::offline);
    EXPECT_THAT(offline->step.blocks, UnorderedElementsAre(b(8), b(9), b(10)));
    follow(*offline);
    const auto online = next();
    ASSERT_TRUE(online);
    EXPECT_EQ(online->step.zone, Zone::movable);
    EXPECT_THAT(online->step.blocks, ElementsAre(b(10)));
    follow(*online);
    EXPECT_FALSE(next());
}

TEST_F(PutBack, ADeviceThatWasBoundByTheJobIsDrainedBeforeItIsLeft) {
    device().mode = DaxMode::system_ram;
    undo.drivers = {{device().id, DaxMode::devdax}};
    set(9, Zone::movable);
    const auto offline = next();
    ASSERT_TRUE(offline);
    EXPECT_EQ(offline->step.kind, StepKind::offline);
    follow(*offline);
    const auto driver = next();
    ASSERT_TRUE(driver);
    EXPECT_EQ(driver->step.mode, DaxMode::devdax);
    follow(*driver);
    EXPECT_FALSE(next());
}

TEST_F(PutBack, WhatWasUnpluggedIsPluggedAndThenPutRightBlockByBlock) {
    device().hotplug_state = HotplugState::unplugged;
    const std::vector<Block> blocks = std::exchange(topology.blocks, {});
    undo.blocks = {{b(8), Zone::none}, {b(9), Zone::kernel}, {b(10), Zone::movable}, {b(11), Zone::movable}};
    const auto plug = next();
    ASSERT_TRUE(plug);
    EXPECT_TRUE(plug->step.by_state);
    EXPECT_EQ(plug->step.kind, StepKind::online);
    EXPECT_EQ(plug->step.zone, Zone::movable);
    EXPECT_THAT(plug->step.blocks, ElementsAre(b(8), b(9), b(10), b(11)));
    EXPECT_EQ(not_put_back(device().id, undo, topology), "dax0.0 is unplugged");
    JobFailures failures;
    failures.given_up = {b(8)};
    EXPECT_FALSE(next(&failures));

    topology.blocks = blocks;
    device().hotplug_state = HotplugState::online_movable;
    follow(*plug);
    const auto offline = next();
    ASSERT_TRUE(offline);
    EXPECT_THAT(offline->step.blocks, UnorderedElementsAre(b(8), b(9)));
    EXPECT_FALSE(offline->step.by_state);
    follow(*offline);
    const auto online = next();
    ASSERT_TRUE(online);
    EXPECT_EQ(online->step.zone, Zone::kernel);
    EXPECT_THAT(online->step.blocks, ElementsAre(b(9)));
    follow(*online);
    EXPECT_FALSE(next());
}

TEST_F(PutBack, WhatWasUnpluggedWithoutMemoryOnlineStaysSo) {
    device().hotplug_state = HotplugState::unplugged;
    topology.blocks.clear();
    undo.blocks = {{b(8), Zone::none}};
    EXPECT_FALSE(next());
    EXPECT_EQ(not_put_back(device().id, undo, topology), "");
}

TEST_F(PutBack, R11_NeverLeavesADriverOverABlockThatIsGivenUp) {
    undo.drivers = {{device().id, DaxMode::devdax}};
    set(9, Zone::movable);
    JobFailures failures;
    failures.given_up = {b(9)};
    EXPECT_FALSE(next(&failures));
    EXPECT_THAT(not_put_back(device().id, undo, topology),
                AllOf(HasSubstr("memory block 9 is online in ZONE_MOVABLE"), HasSubstr("mode system-ram")));
}

TEST_F(PutBack, WhatSomebodyElseUnboundIsNotBoundAgain) {
    device().mode = DaxMode::unbound;
    undo.blocks = {{b(8), Zone::movable}};
    EXPECT_FALSE(next());
}

}  // namespace
}  // namespace cxlmemd
