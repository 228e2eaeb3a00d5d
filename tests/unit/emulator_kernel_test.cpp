// SPDX-License-Identifier: LGPL-2.1-or-later
// The emulated kernel's finer points: which zone it chooses, what is in use, daxX.Y/state, what it logs, and
// what everything costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t MiB = 1ULL << 20;

BlockIndex nth(std::uint64_t n) {
    return BlockIndex{0x590000000 / (128 * MiB) + n};
}

class EmulatedKernel : public ::testing::Test {
 protected:
    Machine& switch_on(MachineDescription description) {
        machine.emplace(
            std::move(description), [this](const Uevent& uevent) { told.push_back(uevent); },
            [this](const std::string& line) { log.push_back(line); });
        told.clear();
        return *machine;
    }
    static MachineDescription with_dax_state() {
        MachineDescription description = two_card_server();
        description.features.dax_state = true;
        return description;
    }
    int error_of(const Result<>& result) { return result ? 0 : result.error().errnum; }
    std::string state() { return machine->dax_state("dax0.0").value_or("none"); }
    // Of the four lowest blocks.
    std::vector<Zone> zones() {
        std::vector<Zone> out;
        for (std::uint64_t n = 0; n < 4; ++n) out.push_back(machine->blocks().zone(nth(n)));
        return out;
    }

    std::optional<Machine> machine;
    std::vector<Uevent> told;
    std::vector<std::string> log;
};

TEST_F(EmulatedKernel, OnlineTakesTheZoneThatTheBlockLiesIn) {
    Machine& kernel = switch_on(two_card_server());
    ASSERT_TRUE(kernel.write_block_state(nth(3), BlockWrite::online_movable));
    ASSERT_TRUE(kernel.write_block_state(nth(9), BlockWrite::online_movable));
    ASSERT_TRUE(kernel.write_block_state(nth(6), BlockWrite::online)) << "between movable blocks";
    EXPECT_EQ(kernel.blocks().zone(nth(6)), Zone::movable);
    ASSERT_TRUE(kernel.write_block_state(nth(10), BlockWrite::online)) << "above them";
    EXPECT_EQ(kernel.blocks().zone(nth(10)), Zone::kernel);
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online)) << "below, and now they overlap";
    ASSERT_TRUE(kernel.write_block_state(nth(5), BlockWrite::online));
    EXPECT_EQ(kernel.blocks().zone(nth(5)), Zone::kernel);
}

TEST_F(EmulatedKernel, AutoOnlineGoesByTheNeighboursToo) {
    MachineDescription description = two_card_server();
    // A device in the middle of another, on the same node, whose blocks are movable.
    DaxDescription& outer = description.dax_devices.front();
    const PhysRange all = outer.device.ranges.front();
    outer.device.ranges = {{all.start, Bytes{512 * MiB}},
                           {PhysAddr{all.start.value() + 1024 * MiB}, Bytes{512 * MiB}}};
    outer.blocks = Zone::movable;
    DaxDescription inner = outer;
    inner.device.id.name = "dax7.0";
    inner.device.ranges = {{PhysAddr{all.start.value() + 512 * MiB}, Bytes{512 * MiB}}};
    inner.blocks.reset();
    description.dax_devices.push_back(inner);
    description.auto_online = AutoOnline::online;
    Machine& kernel = switch_on(std::move(description));
    EXPECT_EQ(kernel.blocks().zone(nth(4)), Zone::movable);
    EXPECT_EQ(kernel.blocks().zone(nth(32)), Zone::kernel) << "another node";
}

TEST_F(EmulatedKernel, AKernelBlockThatTheKernelNeedsStaysOnline) {
    MachineDescription description = two_card_server();
    description.nodes.front().kernel_bytes = Bytes{256 * MiB};
    description.nodes.front().used_bytes =
        Bytes{128 * MiB};  // 128 MiB are struct pages of two cards of 4 GiB
    Machine& kernel = switch_on(std::move(description));
    EXPECT_EQ(kernel.topology().kernel_available, Bytes{0});
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_kernel));
    ASSERT_TRUE(kernel.write_block_state(nth(1), BlockWrite::online_kernel));
    EXPECT_TRUE(kernel.write_block_state(nth(1), BlockWrite::offline));
    EXPECT_TRUE(kernel.write_block_state(nth(0), BlockWrite::offline)) << "empty: nothing more was added";
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_kernel));
    Memdev card;
    card.name = "mem8";
    card.serial = 8;
    card.ram_size = Bytes{4096 * MiB};
    ASSERT_TRUE(kernel.add_memdev(card));
    ASSERT_TRUE(kernel.add_region({.memdevs = {"mem8"}}));
    EXPECT_EQ(error_of(kernel.write_block_state(nth(0), BlockWrite::offline)), EBUSY);
}

TEST_F(EmulatedKernel, APoisonedBlockDoesNotComeOnline) {
    Machine& kernel = switch_on(two_card_server());
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_movable));
    ASSERT_TRUE(kernel.poison(nth(0), true));
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::offline));
    EXPECT_EQ(error_of(kernel.write_block_state(nth(0), BlockWrite::online_movable)), EHWPOISON);
    ASSERT_TRUE(kernel.poison(nth(0), false));
    EXPECT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_movable));
}

TEST_F(EmulatedKernel, ABlockReadsGoingOfflineWhileThatTakesItsTime) {
    Machine& kernel = switch_on(two_card_server());
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_movable));
    kernel.set_leaving(nth(0), true);
    EXPECT_EQ(kernel.blocks().look(nth(0))->state, BlockState::going_offline);
    EXPECT_EQ(kernel.blocks().look(nth(0))->zone, Zone::none);
    kernel.set_leaving(nth(0), false);
    EXPECT_EQ(kernel.blocks().look(nth(0))->state, BlockState::online);
    EXPECT_EQ(kernel.blocks().look(nth(0))->zone, Zone::movable);
    kernel.set_leaving(nth(0), true);
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::offline));
    EXPECT_EQ(kernel.blocks().look(nth(0))->state, BlockState::offline);
}

// --- daxX.Y/state ---

TEST_F(EmulatedKernel, DaxStateIsThereOnlyOnKernelsThatHaveItAndOnlyUnderKmem) {
    EXPECT_FALSE(switch_on(two_card_server()).dax_state("dax0.0"));
    Machine& kernel = switch_on(with_dax_state());
    EXPECT_EQ(state(), "offline");
    ASSERT_TRUE(kernel.unbind("dax0.0"));
    EXPECT_EQ(error_of(kernel.write_dax_state("dax0.0", "online")), ENOENT);
}

TEST_F(EmulatedKernel, DaxStateGoesOnlineFromUnpluggedAlone) {
    Machine& kernel = switch_on(with_dax_state());
    EXPECT_EQ(error_of(kernel.write_dax_state("dax0.0", "online_movable")), EBUSY);
    EXPECT_EQ(error_of(kernel.write_dax_state("dax0.0", "offline")), EINVAL);
    EXPECT_EQ(error_of(kernel.write_dax_state("dax0.0", "on")), EINVAL);
    ASSERT_TRUE(kernel.write_dax_state("dax0.0", "unplugged"));
    EXPECT_EQ(state(), "unplugged");
    EXPECT_FALSE(kernel.blocks().exists(nth(0)));
    EXPECT_EQ(kernel.dax("dax0.0")->mode, DaxMode::system_ram);
    ASSERT_TRUE(kernel.write_dax_state("dax0.0", "online_movable"));
    EXPECT_EQ(kernel.blocks().zone(nth(31)), Zone::movable);
    EXPECT_TRUE(kernel.write_dax_state("dax0.0", "online_movable")) << "it is";
    EXPECT_EQ(error_of(kernel.write_dax_state("dax0.0", "online_kernel")), EBUSY);
}

TEST_F(EmulatedKernel, DaxStateUnplugsAllOrNothing) {
    Machine& kernel = switch_on(with_dax_state());
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_movable));
    ASSERT_TRUE(kernel.write_block_state(nth(2), BlockWrite::online_kernel));
    ASSERT_TRUE(kernel.write_block_state(nth(3), BlockWrite::online_movable));
    ASSERT_TRUE(kernel.pin(nth(3), true));
    EXPECT_EQ(error_of(kernel.write_dax_state("dax0.0", "unplugged")), EBUSY);
    EXPECT_THAT(zones(), ElementsAre(Zone::movable, Zone::none, Zone::kernel, Zone::movable));
    EXPECT_THAT(log, Contains("kmem dax0.0: hotremove failed, device left online: -16"));
    ASSERT_TRUE(kernel.pin(nth(3), false));
    EXPECT_TRUE(kernel.write_dax_state("dax0.0", "unplugged"));
    EXPECT_TRUE(kernel.unbind("dax0.0"));
    EXPECT_TRUE(kernel.bind("dax0.0", DaxMode::system_ram));
}

TEST_F(EmulatedKernel, DaxStateIsStaleWhenBlocksAreWrittenOneByOne) {
    Machine& kernel = switch_on(with_dax_state());
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_movable));
    EXPECT_EQ(state(), "offline");
}

TEST_F(EmulatedKernel, R11_UnbindingGoesByTheBlocksAndNotByDaxState) {
    Machine& kernel = switch_on(with_dax_state());
    ASSERT_TRUE(kernel.write_dax_state("dax0.0", "unplugged"));
    ASSERT_TRUE(kernel.write_dax_state("dax0.0", "online_movable"));
    for (std::uint64_t n = 0; n < 32; ++n) ASSERT_TRUE(kernel.write_block_state(nth(n), BlockWrite::offline));
    ASSERT_TRUE(kernel.unbind("dax0.0"));
    EXPECT_FALSE(kernel.memory_leaked(*kernel.dax("dax0.0")));
}

TEST_F(EmulatedKernel, TheBackendLeavesKmemThroughUnplugged) {
    Emulator emulator = make_emulator(with_dax_state());
    Backend& backend = *emulator.pair.worker_side;
    const Topology topology = backend.scan().value();
    EXPECT_TRUE(topology.features.dax_state);
    const DaxIdentity owner = find_dax(topology, "dax0.0")->id;
    // Somebody brings a block online at the last moment: nothing is lost.
    ASSERT_TRUE(emulator.control->inject("write-dax-state", {{"dax", "dax0.0"}, {"value", "unplugged"}}));
    ASSERT_TRUE(backend.set_mode(owner, DaxMode::unbound));
    EXPECT_EQ(find_dax(backend.scan().value(), "dax0.0")->mode, DaxMode::unbound);
    ASSERT_TRUE(backend.set_mode(owner, DaxMode::system_ram));
    EXPECT_EQ(present_blocks(backend.scan().value(), *find_dax(topology, "dax0.0")).size(), 32U);
}

// --- What it says. ---

TEST_F(EmulatedKernel, LogsWhatKmemDoesNotTake) {
    MachineDescription description = two_card_server();
    DaxDescription dax;
    dax.device.id.name = "dax7.0";
    dax.device.kind = DaxKind::hmem;
    dax.device.target_node = NodeId{5};
    dax.device.mode = DaxMode::system_ram;
    dax.device.ranges = {{PhysAddr{0x8000000000}, Bytes{256 * MiB}},
                         {PhysAddr{0x8020000000}, Bytes{64 * MiB}},
                         {PhysAddr{0x8040000000}, Bytes{256 * MiB}}};
    description.dax_devices.push_back(dax);
    description.reserved.push_back({{PhysAddr{0x8040000000}, Bytes{MiB}}, "Soft Reserved"});
    Machine& kernel = switch_on(std::move(description));
    EXPECT_EQ(kernel.dax("dax7.0")->mode, DaxMode::system_ram) << "something of it could be had";
    EXPECT_THAT(log, ElementsAre("kmem dax7.0: mapping1: 0x8020000000-0x8023ffffff too small after alignment",
                                 HasSubstr("mapping2: 0x8040000000-0x804fffffff could not reserve region")));
}

TEST_F(EmulatedKernel, LogsTheOneShotThatMissed) {
    Machine& kernel = switch_on(two_card_server());
    ASSERT_TRUE(kernel.write_block_state(nth(0), BlockWrite::online_movable));
    ASSERT_TRUE(kernel.unbind("dax0.0"));
    EXPECT_THAT(log,
                ElementsAre("kmem dax0.0: mapping0: 0x590000000-0x68fffffff cannot be hotremoved until the "
                            "next reboot"));
}

}  // namespace
}  // namespace cxlmemd::emulator
