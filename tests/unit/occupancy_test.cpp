// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/occupancy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "policy/plan_removal.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::gib;
using test::range_of;
using test::TopologyBuilder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Kind = Occupant::Kind;

// Two cards of 16 blocks behind one window of 64; region0 on mem0 from block 100, region1 on mem1 from block
// 116. Each region takes all of its card.
class OccupancyTest : public ::testing::Test {
 protected:
    OccupancyTest() {
        topology.block_size = test::block_128m;
        topology.firmware_ram = std::vector<PhysRange>{};
        topology.root_decoders.push_back({.name = "decoder0.0",
                                          .window = range_of(100, 64),
                                          .volatile_capable = true,
                                          .pmem_capable = false,
                                          .qos_class = {},
                                          .interleave_ways = 1,
                                          .interleave_granularity = 0,
                                          .memdevs = {"mem0", "mem1"}});
        card("mem0", 1);
        card("mem1", 2);
        region("region0", {"mem0"}, 100, 16);
        region("region1", {"mem1"}, 116, 16);
    }

    void card(const std::string& name, std::uint64_t serial) {
        Memdev memdev;
        memdev.name = name;
        memdev.serial = serial;
        memdev.ram_size = range_of(0, 16).size;
        topology.memdevs.push_back(memdev);
    }
    void region(const std::string& name, std::vector<std::string> memdevs, std::uint64_t first,
                std::uint64_t blocks) {
        Region out;
        out.name = name;
        out.interleave_ways = static_cast<std::uint32_t>(memdevs.size());
        out.memdevs = std::move(memdevs);
        out.root_decoder = "decoder0.0";
        out.resource = range_of(first, blocks).start;
        out.size = range_of(first, blocks).size;
        topology.regions.push_back(out);
    }
    DaxDevice& dax(const std::string& name, const std::string& in, std::uint64_t first, std::uint64_t blocks,
                   DaxMode mode = DaxMode::system_ram, DaxKind kind = DaxKind::cxl_ram) {
        DaxDevice device;
        device.id.name = name;
        device.id.region = in;
        device.id.start = range_of(first, blocks).start;
        device.kind = kind;
        device.target_node = NodeId{1};
        device.mode = mode;
        device.ranges = {range_of(first, blocks)};
        device.size = device.ranges.front().size;
        topology.dax_devices.push_back(device);
        return topology.dax_devices.back();
    }
    void blocks(std::uint64_t first, std::string_view looks, int node = 1) {
        for (const char look : looks) topology.blocks.push_back(test::block_of(first++, look, NodeId{node}));
        std::ranges::sort(topology.blocks, {}, &Block::index);
    }
    void no_region(const std::string& name) {
        std::erase_if(topology.regions, [&](const Region& each) { return each.name == name; });
    }

    [[nodiscard]] Occupancy on_card(std::size_t nth = 0) const {
        return occupancy(topology, topology.memdevs[nth]);
    }
    [[nodiscard]] Occupancy on_region(std::size_t nth = 0) const {
        return occupancy(topology, topology.regions[nth]);
    }
    [[nodiscard]] Error refusal(std::size_t nth = 0) const {
        const JointPlan plan = plan_memdev_removal(topology, topology.memdevs[nth]);
        EXPECT_THAT(plan.steps, IsEmpty());
        return plan.blocked.value_or(Error{});
    }
    [[nodiscard]] bool may_be_pulled(std::size_t nth = 0) const {
        const JointPlan plan = plan_memdev_removal(topology, topology.memdevs[nth]);
        return plan.steps.empty() && !plan.blocked;
    }

    Topology topology;
};

TEST_F(OccupancyTest, NothingStandsOnACardWithoutMemoryBlocksAndBoundDevices) {
    EXPECT_TRUE(on_card().is_empty());
    dax("dax0.0", "region0", 100, 16, DaxMode::unbound);
    EXPECT_TRUE(on_card().is_empty());
    EXPECT_THAT(on_card().devices, SizeIs(1));
    EXPECT_TRUE(may_be_pulled());
}

TEST_F(OccupancyTest, ABoundDeviceStandsOnItsOwnCardAlone) {
    dax("dax0.0", "region0", 100, 16, DaxMode::devdax);
    EXPECT_FALSE(on_card(0).is_empty());
    EXPECT_TRUE(on_card(1).is_empty());
    EXPECT_FALSE(on_region(0).is_empty());
    EXPECT_TRUE(on_region(1).is_empty());
}

TEST_F(OccupancyTest, AnInterleavedRegionStandsOnAllItsCards) {
    no_region("region1");
    topology.regions[0].memdevs = {"mem0", "mem1"};
    topology.regions[0].interleave_ways = 2;
    dax("dax0.0", "region0", 100, 16);
    blocks(100, "M");
    EXPECT_FALSE(on_card(0).is_empty());
    EXPECT_FALSE(on_card(1).is_empty());
}

TEST_F(OccupancyTest, AnHmemDeviceInTheCardsRegionIsDrainedAlong) {
    dax("dax9.0", "", 104, 4, DaxMode::system_ram, DaxKind::hmem);
    blocks(104, "MMMM");
    const JointPlan plan = plan_memdev_removal(topology, topology.memdevs[0]);
    ASSERT_THAT(plan.steps, SizeIs(2));
    EXPECT_EQ(plan.steps[0].device.name, "dax9.0");
    EXPECT_EQ(plan.steps[0].step.kind, StepKind::offline);
    EXPECT_EQ(plan.steps[1].step.mode, DaxMode::unbound);
    EXPECT_TRUE(may_be_pulled(1));
    const JointPlan of_region = plan_region_removal(topology, topology.regions[0]);
    ASSERT_THAT(of_region.steps, SizeIs(3));
    EXPECT_EQ(of_region.steps[2].step.kind, StepKind::destroy_region);
}

TEST_F(OccupancyTest, AnHmemDeviceInAWindowThatLeadsToTheCardAloneStandsOnIt) {
    no_region("region0");
    topology.root_decoders[0].memdevs = {"mem0"};
    dax("dax9.0", "", 140, 4, DaxMode::system_ram, DaxKind::hmem);
    EXPECT_THAT(on_card(0).devices, SizeIs(1));
    EXPECT_THAT(on_card(1).devices, IsEmpty());
}

TEST_F(OccupancyTest, AnHmemDeviceThatMayBeOnSeveralCardsIsRefusedByName) {
    topology.regions.clear();
    dax("dax9.0", "", 140, 4, DaxMode::system_ram, DaxKind::hmem);
    for (const std::size_t nth : {0U, 1U}) {
        EXPECT_EQ(refusal(nth).code, ErrorCode::conflict);
        EXPECT_THAT(refusal(nth).text(), AllOf(HasSubstr("dax9.0"), HasSubstr("mem0, mem1")));
    }
}

TEST_F(OccupancyTest, ACardOfWhichARegionTakesAllCarriesNothingElse) {
    no_region("region0");  // mem1 is full
    dax("dax9.0", "", 140, 4, DaxMode::system_ram, DaxKind::hmem);
    EXPECT_THAT(on_card(0).devices, SizeIs(1));
    EXPECT_TRUE(may_be_pulled(1));
}

TEST_F(OccupancyTest, AnHmemDeviceOutsideOfAllWindowsIsNobodysCard) {
    topology.regions.clear();
    dax("dax9.0", "", 300, 4, DaxMode::system_ram, DaxKind::hmem);
    blocks(300, "MMMM");
    EXPECT_TRUE(may_be_pulled(0));
}

TEST_F(OccupancyTest, PlainSystemRamIsAConflictThatNamesNodeBytesAndReason) {
    no_region("region0");
    topology.root_decoders[0].memdevs = {"mem0"};
    topology.firmware_ram = {range_of(140, 8)};
    blocks(140, "KKKKKKKK", 2);
    EXPECT_EQ(refusal().code, ErrorCode::conflict);
    EXPECT_THAT(refusal().text(),
                AllOf(HasSubstr("plain System RAM: the firmware gave it to the kernel; it cannot be emptied"),
                      HasSubstr("1 GiB on node 2 (memory blocks 140-147, online)")));
    EXPECT_THAT(leaked_memory(topology), IsEmpty());
}

TEST_F(OccupancyTest, PlainSystemRamInARegionComesBeforeItsLock) {
    topology.firmware_ram = {range_of(100, 16)};
    blocks(100, "KK", 2);
    for (const bool locked : {false, true}) {
        topology.regions[0].locked = locked;
        const JointPlan plan = plan_region_removal(topology, topology.regions[0]);
        ASSERT_TRUE(plan.blocked);
        EXPECT_EQ(plan.blocked->code, ErrorCode::conflict);
        EXPECT_THAT(plan.blocked->text(), HasSubstr("node 2"));
        EXPECT_EQ(refusal().code, ErrorCode::conflict);
    }
}

TEST_F(OccupancyTest, ALockedRegionWithoutMemoryDoesNotKeepTheCard) {
    topology.regions[0].locked = true;
    EXPECT_TRUE(may_be_pulled());
    EXPECT_THAT(on_card().occupants, SizeIs(1));
    EXPECT_EQ(on_card().occupants[0].kind, Kind::locked);
}

TEST_F(OccupancyTest, R11_WhatADestroyedRegionLeftIsLeakedOnTheCardThatCanCarryIt) {
    no_region("region0");
    blocks(100, "MMM.");
    EXPECT_EQ(refusal(0).code, ErrorCode::reboot_required);
    EXPECT_THAT(refusal(0).text(), HasSubstr("leaked"));
    EXPECT_TRUE(may_be_pulled(1));  // all of it is in region1
    ASSERT_THAT(leaked_memory(topology), SizeIs(1));
    EXPECT_EQ(leaked_memory(topology)[0].blocks, 4U);
    EXPECT_EQ(leaked_memory(topology)[0].online, 3U);
}

TEST_F(OccupancyTest, LeakedMemoryThatMayBeOnSeveralCardsKeepsThemAll) {
    topology.regions.clear();
    blocks(100, "M");
    for (const std::size_t nth : {0U, 1U}) EXPECT_EQ(refusal(nth).code, ErrorCode::reboot_required);
}

TEST_F(OccupancyTest, WhatWasKnownOfALeakSaysWhichCardItIs) {
    topology.regions.clear();
    blocks(100, "M");
    topology.leaks.push_back(
        {.range = range_of(100, 16), .dax = "dax0.0", .region = "region0", .memdevs = {"mem1"}});
    EXPECT_TRUE(may_be_pulled(0));
    EXPECT_EQ(refusal(1).code, ErrorCode::reboot_required);
    EXPECT_THAT(refusal(1).text(), HasSubstr("dax0.0"));
}

TEST_F(OccupancyTest, ALeakOfACardThatWasPulledIsOnNoOther) {
    topology.regions.clear();
    blocks(100, "M");
    topology.leaks.push_back(
        {.range = range_of(100, 16), .dax = "dax0.0", .region = "region0", .memdevs = {}});
    EXPECT_TRUE(may_be_pulled(0));
    EXPECT_TRUE(may_be_pulled(1));
    EXPECT_THAT(leaked_memory(topology), SizeIs(1));
}

TEST_F(OccupancyTest, ADeviceThatIsUnboundOverItsBlocksIsLeaked) {
    dax("dax0.0", "region0", 100, 16, DaxMode::unbound);
    blocks(100, ".M");
    EXPECT_EQ(refusal().code, ErrorCode::reboot_required);
    EXPECT_THAT(refusal().text(), HasSubstr("of dax0.0 (memory blocks 100-101, 1 of 2 blocks online)"));
}

TEST_F(OccupancyTest, WithoutAFirmwareMapItSaysThatItCannotTellWhichOfTheTwo) {
    topology.firmware_ram.reset();
    no_region("region0");
    blocks(100, "K");
    EXPECT_EQ(refusal().code, ErrorCode::conflict);
    EXPECT_THAT(refusal().text(), HasSubstr("no firmware map tells whether"));
    EXPECT_THAT(leaked_memory(topology), IsEmpty());
}

TEST_F(OccupancyTest, UnknownIsNeverEmpty) {
    const Unreadable unreadables[] = {
        {.what = "memory block 103: state", .where = range_of(103, 1), .memdev = {}, .errnum = EIO},
        {.what = "dax9.0: mapping0/start", .where = std::nullopt, .memdev = {}, .errnum = EINTR},
        {.what = "mem0: ram/size", .where = std::nullopt, .memdev = "mem0", .errnum = 0},
    };
    for (const Unreadable& each : unreadables) {
        topology.unreadable = {each};
        EXPECT_EQ(refusal(0).code, ErrorCode::failed) << each.what;
        EXPECT_THAT(refusal(0).text(), AllOf(HasSubstr("cannot tell"), HasSubstr(each.what)));
        EXPECT_EQ(plan_region_removal(topology, topology.regions[0]).blocked->code, ErrorCode::failed);
    }
    topology.unreadable = {unreadables[0]};
    EXPECT_TRUE(may_be_pulled(1));  // it is in the other card's region
    topology.unreadable = {unreadables[2]};
    EXPECT_TRUE(may_be_pulled(1));
}

TEST_F(OccupancyTest, ACardWithoutAnEndpointIsUnknown) {
    topology.memdevs[0].has_endpoint = false;
    EXPECT_EQ(refusal().code, ErrorCode::failed);
    EXPECT_THAT(refusal().text(), HasSubstr("no endpoint port"));
}

TEST_F(OccupancyTest, ARegionWhoseMembersAreNotKnownMayStandOnAnyCard) {
    topology.regions[0].memdevs.clear();
    topology.regions[0].members_known = false;
    dax("dax0.0", "region0", 100, 16);
    EXPECT_EQ(refusal(0).code, ErrorCode::conflict);
    EXPECT_EQ(refusal(1).code, ErrorCode::conflict);
    EXPECT_THAT(refusal(1).text(), HasSubstr("not all memdevs of the region"));
}

TEST_F(OccupancyTest, CapacityWithoutARegionIsNamedAndKeepsTheCardOnlyWithMemory) {
    no_region("region0");
    topology.endpoint_decoders = {{.name = "decoder5.0",
                                   .memdev = "mem0",
                                   .capacity = range_of(0, 16).size,
                                   .region = {},
                                   .mapped = range_of(140, 16),
                                   .locked = false}};
    EXPECT_TRUE(may_be_pulled());
    ASSERT_THAT(on_card().occupants, SizeIs(1));
    EXPECT_EQ(on_card().occupants[0].kind, Kind::capacity);
    topology.firmware_ram = {range_of(140, 16)};
    blocks(140, "K");
    EXPECT_EQ(refusal().code, ErrorCode::conflict);
    EXPECT_TRUE(may_be_pulled(1));
}

TEST_F(OccupancyTest, ABlockThatOnlyTouchesTheRegionKeepsIt) {
    no_region("region1");
    // The region ends in the middle of block 116.
    topology.regions[0].size = Bytes{topology.regions[0].size.value() + test::block_128m.value() / 2};
    topology.firmware_ram = {range_of(116, 4)};
    blocks(116, "K");
    EXPECT_EQ(refusal().code, ErrorCode::conflict);
}

TEST_F(OccupancyTest, ADrainedDeviceLeavesNothing) {
    dax("dax0.0", "region0", 100, 16);
    blocks(100, "....");
    const JointPlan plan = plan_memdev_removal(topology, topology.memdevs[0]);
    ASSERT_THAT(plan.steps, SizeIs(1));
    EXPECT_EQ(plan.steps[0].step.mode, DaxMode::unbound);
    topology.dax_devices[0].mode = DaxMode::unbound;
    topology.blocks.clear();
    EXPECT_TRUE(may_be_pulled());
}

}  // namespace
}  // namespace cxlmemd
