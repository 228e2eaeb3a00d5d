// SPDX-License-Identifier: LGPL-2.1-or-later
// The emulated kernel behaves as FACTS say the real one does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

constexpr std::uint64_t MiB = 1ULL << 20;
constexpr BlockIndex first_block{0x590000000 / (128 * MiB)};

BlockIndex after_first(std::uint64_t n) {
    return BlockIndex{first_block.value() + n};
}

class EmulatorMachineTest : public ::testing::Test {
 protected:
    static MachineDescription bare() {
        MachineDescription description = two_card_server();
        description.regions.clear();
        description.dax_devices.clear();
        return description;
    }
    static DaxDescription hmem(std::vector<PhysRange> ranges, NodeId node = NodeId{1}) {
        DaxDescription dax;
        dax.device.id.name = "dax7.0";
        dax.device.kind = DaxKind::hmem;
        dax.device.target_node = node;
        dax.device.ranges = std::move(ranges);
        dax.device.mode = DaxMode::system_ram;
        return dax;
    }
    Machine make(MachineDescription description) {
        Machine machine(std::move(description), [this](const Uevent& uevent) { told.push_back(uevent); });
        told.clear();
        return machine;
    }
    static std::string words(const Uevent& uevent) {
        constexpr std::array actions{"add", "remove", "online", "offline", "bind", "unbind"};
        const std::string what = uevent.subsystem == Subsystem::memory ? "memory" : uevent.name;
        return what + " " + actions.at(static_cast<std::size_t>(uevent.action));
    }
    // Each run of alike events as one.
    std::vector<std::string> story() {
        std::vector<std::string> out;
        for (const Uevent& uevent : told) {
            if (out.empty() || out.back() != words(uevent)) out.push_back(words(uevent));
        }
        told.clear();
        return out;
    }

    std::vector<Uevent> told;
};

TEST_F(EmulatorMachineTest, SaysEinvalToWhatIsDoneAlreadyAndEnoentToWhatIsNotThere) {
    Machine machine = make(two_card_server());
    ASSERT_TRUE(machine.write_block_state(first_block, BlockWrite::online));
    EXPECT_EQ(machine.blocks().zone(first_block), Zone::kernel);
    EXPECT_EQ(machine.write_block_state(first_block, BlockWrite::online_movable).error().errnum, EINVAL);
    EXPECT_EQ(machine.blocks().zone(first_block), Zone::kernel);
    EXPECT_EQ(machine.write_block_state(after_first(1), BlockWrite::offline).error().errnum, EINVAL);
    EXPECT_EQ(machine.write_block_state(BlockIndex{1}, BlockWrite::online).error().errnum, ENOENT);
}

TEST_F(EmulatorMachineTest, SaysEbusyToOffliningPinnedAndUnmovableMemory) {
    MachineDescription description = two_card_server();
    description.kernel_zone_unmovable = true;
    Machine machine = make(std::move(description));
    ASSERT_TRUE(machine.write_block_state(first_block, BlockWrite::online_kernel));
    ASSERT_TRUE(machine.write_block_state(after_first(1), BlockWrite::online_movable));
    ASSERT_TRUE(machine.pin(after_first(1), true));
    EXPECT_EQ(machine.write_block_state(first_block, BlockWrite::offline).error().errnum, EBUSY);
    EXPECT_EQ(machine.write_block_state(after_first(1), BlockWrite::offline).error().errnum, EBUSY);
    ASSERT_TRUE(machine.pin(after_first(1), false));
    EXPECT_TRUE(machine.write_block_state(after_first(1), BlockWrite::offline));
}

TEST_F(EmulatorMachineTest, R8_KmemRejectsANegativeNode) {
    Machine machine = make(bare());
    EXPECT_FALSE(machine.add_dax(hmem({{PhysAddr{0x590000000}, Bytes{512 * MiB}}}, no_node)));
    const auto bound = machine.bind("dax7.0", DaxMode::system_ram);
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().errnum, EINVAL);
    EXPECT_EQ(bound.error().reason, "rejecting DAX region with invalid node: -1");
}

TEST_F(EmulatorMachineTest, R9_KmemRejectsADeviceWithNothingLeftAfterAlignment) {
    Machine machine = make(bare());
    const auto added = machine.add_dax(hmem({{PhysAddr{0x590200000}, Bytes{200 * MiB}}}));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().errnum, EINVAL);
    EXPECT_EQ(added.error().reason, "rejecting DAX region without any memory after alignment");
    EXPECT_EQ(machine.dax("dax7.0")->mode, DaxMode::unbound);
}

TEST_F(EmulatorMachineTest, R9_KmemAddsTheWholeBlocksOfEveryRange) {
    Machine machine = make(bare());
    ASSERT_TRUE(machine.add_dax(hmem({{PhysAddr{0x590200000}, Bytes{512 * MiB}},
                                      {PhysAddr{0x600000000}, Bytes{64 * MiB}},
                                      {PhysAddr{0x610000000}, Bytes{256 * MiB}}})));
    const Topology topology = machine.topology();
    EXPECT_EQ(topology.blocks.size(), 3U + 2U);
    EXPECT_EQ(present_blocks(topology, topology.dax_devices.front()).size(), 5U);
}

TEST_F(EmulatorMachineTest, R10_KmemSaysWhichMappingItCouldNotReserve) {
    MachineDescription description = bare();
    description.reserved.push_back({{PhysAddr{0x590000000}, Bytes{MiB}}, "Soft Reserved"});
    Machine machine = make(std::move(description));
    const auto added = machine.add_dax(hmem({{PhysAddr{0x590000000}, Bytes{256 * MiB}}}));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().errnum, EBUSY);
    EXPECT_THAT(added.error().reason,
                HasSubstr("mapping0: 0x590000000-0x59fffffff could not reserve region"));
    EXPECT_THAT(added.error().reason, HasSubstr("Soft Reserved"));
    EXPECT_EQ(machine.blocks().count(), 0U);
}

TEST_F(EmulatorMachineTest, R11_UnbindingWithABlockOnlineSucceedsAndLosesTheMemory) {
    Machine machine = make(two_card_server());
    ASSERT_TRUE(machine.write_block_state(after_first(5), BlockWrite::online_movable));
    ASSERT_TRUE(machine.unbind("dax0.0"));
    EXPECT_TRUE(machine.memory_leaked(*machine.dax("dax0.0")));
    EXPECT_EQ(machine.bind("dax0.0", DaxMode::system_ram).error().errnum, EBUSY);
    EXPECT_EQ(machine.bind("dax0.0", DaxMode::devdax).error().errnum, EBUSY);
    // Offlining afterwards works, and does not help.
    ASSERT_TRUE(machine.write_block_state(after_first(5), BlockWrite::offline));
    EXPECT_EQ(machine.bind("dax0.0", DaxMode::system_ram).error().errnum, EBUSY);
    EXPECT_TRUE(machine.blocks().exists(after_first(5)));
}

TEST_F(EmulatorMachineTest, R11_ADeletedRegionLeavesItsOnlineMemoryBehindForItsSuccessorToFind) {
    Machine machine = make(two_card_server());
    ASSERT_TRUE(machine.write_block_state(first_block, BlockWrite::online_movable));
    ASSERT_TRUE(machine.remove_region("region0"));
    EXPECT_EQ(machine.dax("dax0.0"), nullptr);
    EXPECT_TRUE(machine.blocks().exists(first_block));
    const auto dax =
        machine.add_region({.memdevs = {"mem0"}, .start = PhysAddr{0x590000000}, .target_node = NodeId{1}});
    ASSERT_TRUE(dax) << dax.error().text();
    const Topology topology = machine.topology();
    EXPECT_TRUE(reboot_required(topology, *find_dax(topology, *dax)));
}

TEST_F(EmulatorMachineTest, R11_OnlyTheRangeWithABlockOnlineIsLost) {
    Machine machine = make(bare());
    ASSERT_TRUE(machine.add_dax(
        hmem({{PhysAddr{0x590000000}, Bytes{256 * MiB}}, {PhysAddr{0x610000000}, Bytes{256 * MiB}}})));
    ASSERT_TRUE(machine.write_block_state(first_block, BlockWrite::online_movable));
    ASSERT_TRUE(machine.unbind("dax7.0"));
    EXPECT_EQ(machine.blocks().count(), 2U);
    EXPECT_TRUE(machine.blocks().exists(first_block));
}

TEST_F(EmulatorMachineTest, UnbindingWithEverythingOfflineRemovesTheBlocksAndTheNode) {
    Machine machine = make(two_card_server());
    ASSERT_TRUE(machine.unbind("dax0.0"));
    EXPECT_FALSE(machine.blocks().exists(first_block));
    EXPECT_EQ(find_node(machine.topology(), NodeId{1}), nullptr);
    EXPECT_TRUE(machine.bind("dax0.0", DaxMode::system_ram));
}

TEST_F(EmulatorMachineTest, R7_AReplacedDeviceHasAnotherGeneration) {
    Machine machine = make(two_card_server());
    const DaxIdentity old = machine.dax("dax0.0")->id;
    ASSERT_TRUE(machine.replace_dax("dax0.0", std::nullopt));
    DaxIdentity next = machine.dax("dax0.0")->id;
    EXPECT_NE(next, old);
    next.generation = old.generation;
    EXPECT_EQ(next, old);
}

TEST_F(EmulatorMachineTest, AutoOnlineDecidesAtBinding) {
    for (const auto& [value, zone] : {std::pair{AutoOnline::online, Zone::kernel},
                                      std::pair{AutoOnline::online_movable, Zone::movable}}) {
        MachineDescription description = two_card_server();
        description.auto_online = value;
        const Machine machine = make(std::move(description));
        EXPECT_EQ(machine.blocks().zone(first_block), zone);
    }
}

TEST_F(EmulatorMachineTest, ARegionTellsItsStoryInTheKernelsOrder) {
    Machine machine = make(bare());
    machine.write_auto_online(AutoOnline::online_movable);
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}, .target_node = NodeId{1}}));
    EXPECT_EQ(std::ranges::count(told, Action::online, &Uevent::action), 32);
    EXPECT_THAT(story(), ElementsAre("region0 add", "dax_region0 add", "dax0.0 add", "memory add",
                                     "node1 add", "memory_tier22 add", "memory online", "dax0.0 bind",
                                     "dax_region0 bind", "region0 bind"));
    ASSERT_TRUE(machine.remove_region("region0"));
    EXPECT_THAT(story(), ElementsAre("dax0.0 unbind", "dax0.0 remove", "dax_region0 unbind",
                                     "dax_region0 remove", "region0 unbind", "region0 remove"));
}

TEST_F(EmulatorMachineTest, SevenThreeTellsOfTheNodeFirstAndOfTheDaxDeviceLast) {
    MachineDescription description = bare();
    description.features.dax_state = true;
    Machine machine = make(std::move(description));
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}, .target_node = NodeId{1}}));
    EXPECT_THAT(story(), ElementsAre("region0 add", "dax_region0 add", "region0 bind", "dax0.0 add",
                                     "node1 add", "memory add", "dax0.0 bind", "dax_region0 bind"));
    ASSERT_TRUE(machine.write_dax_state("dax0.0", "unplugged"));
    ASSERT_TRUE(machine.write_dax_state("dax0.0", "online_movable"));
    EXPECT_THAT(story(), ElementsAre("memory remove", "node1 remove", "node1 add", "memory add",
                                     "memory_tier22 add", "memory online"));
    ASSERT_TRUE(machine.write_dax_state("dax0.0", "unplugged"));
    EXPECT_THAT(story(), ElementsAre("memory offline", "memory_tier22 remove", "memory offline",
                                     "memory remove", "node1 remove"));
}

TEST_F(EmulatorMachineTest, R4_TierAndPerformanceComeWithTheFirstBlockOnline) {
    MachineDescription description = two_card_server();
    description.features.access_coordinates = true;
    const auto access = [](std::uint32_t latency, std::uint32_t bandwidth) {
        return AccessCoordinates{Nanoseconds{latency}, Nanoseconds{latency}, MegabytesPerSecond{bandwidth},
                                 MegabytesPerSecond{bandwidth}};
    };
    description.nodes.front().access = access(100, 200000);
    description.regions.front().access = access(200, 100000);
    Machine machine = make(std::move(description));
    Topology topology = machine.topology();
    EXPECT_EQ(find_node(topology, NodeId{1})->tier, std::nullopt);
    EXPECT_EQ(find_region(topology, "region0")->access, AccessCoordinates{});
    ASSERT_TRUE(machine.write_block_state(first_block, BlockWrite::online_movable));
    topology = machine.topology();
    EXPECT_EQ(find_node(topology, NodeId{0})->tier, 4);
    EXPECT_EQ(find_node(topology, NodeId{1})->tier, 576 * 2 * 2 >> 7);
    EXPECT_EQ(find_node(topology, NodeId{1})->access, access(200, 100000));
    EXPECT_EQ(find_region(topology, "region0")->access, access(200, 100000));
}

TEST_F(EmulatorMachineTest, ARemovedCardTakesItsDeviceAndLeavesTheRegionBehind) {
    Machine machine = make(two_card_server());
    ASSERT_TRUE(machine.remove_memdev("mem0"));
    EXPECT_EQ(machine.dax("dax0.0"), nullptr);
    EXPECT_FALSE(machine.blocks().exists(first_block));
    const Topology topology = machine.topology();
    ASSERT_NE(find_region(topology, "region0"), nullptr);
    EXPECT_TRUE(find_region(topology, "region0")->memdevs.empty());
    EXPECT_NE(find_dax(topology, "dax1.0"), nullptr);
}

TEST_F(EmulatorMachineTest, ARegionTakesNoMoreThanTheCardsHave) {
    Machine machine = make(two_card_server());
    const auto more = machine.add_region({.memdevs = {"mem0"}});
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().errnum, ENOSPC);
    EXPECT_EQ(machine.add_region({.memdevs = {"mem9"}}).error().code, ErrorCode::not_found);
}

TEST_F(EmulatorMachineTest, R13_WithoutHotRemoveMemoryStays) {
    MachineDescription description = two_card_server();
    description.features.memory_hotremove = false;
    Machine machine = make(std::move(description));
    ASSERT_TRUE(machine.unbind("dax0.0"));
    EXPECT_TRUE(machine.blocks().exists(first_block));
}

}  // namespace
}  // namespace cxlmemd::emulator
