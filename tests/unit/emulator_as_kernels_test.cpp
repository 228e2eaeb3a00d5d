// SPDX-License-Identifier: LGPL-2.1-or-later
// What the traces of real kernels (tests/contract) had otherwise than the emulator, once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "backends/emulator/machine.h"
#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/write.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr std::uint64_t MiB = 1ULL << 20;
constexpr BlockIndex first{0x590000000 / (128 * MiB)};
constexpr NodeId window_node{1};

BlockIndex nth(std::uint64_t n) {
    return BlockIndex{first.value() + n};
}

// Two cards, no region yet, and a window whose memory is all on one node, of which coordinates are known.
MachineDescription one_window() {
    MachineDescription out = two_card_server();
    out.regions.clear();
    out.dax_devices.clear();
    out.features.access_coordinates = true;
    out.decoder_nodes = {{"decoder0.0", window_node}};
    NodeDescription node;
    node.id = window_node;
    node.access = {Nanoseconds{300}, Nanoseconds{300}, MegabytesPerSecond{9000}, MegabytesPerSecond{9000}};
    out.nodes.push_back(node);
    return out;
}

bool is_known(const Machine& machine, const std::string& region) {
    return machine.region(region)->access != AccessCoordinates{};
}

int error_of(const Result<>& result) {
    return result ? 0 : result.error().errnum;
}

std::optional<std::uint32_t> weight(const Machine& machine) {
    return find_node(machine.topology(), window_node)->interleave_weight;
}

}  // namespace

// Two cards, one below each of two host bridges that the window interleaves over.
TEST(EmulatorAsKernels, AnInterleaveOrderOverHostBridgesThatIsWrongIsENXIO) {
    MachineDescription description = one_window();
    description.features.region_create = true;
    description.root_decoders.front().targets = {"pci0000:0c", "pci0000:4c"};
    description.root_decoders.front().interleave_ways = 2;
    description.memdevs.at(0).bridge = "pci0000:0c";
    description.memdevs.at(1).bridge = "pci0000:4c";
    Machine machine{description, {}};
    const auto create = [&](const char* first, const char* second) {
        RegionOrder order;
        order.root_decoder = "decoder0.0";
        for (const char* name : {first, second}) {
            const Topology now = machine.topology();
            order.members.push_back({name, find_memdev(now, name)->generation});
        }
        order.interleave_granularity = 256;
        order.size = Bytes{1024 * MiB};
        const auto draft = machine.draft_region(order);
        return draft ? error_of(machine.create_region(*draft)) : -1;
    };
    EXPECT_EQ(create("mem1", "mem0"), ENXIO);
    EXPECT_EQ(create("mem0", "mem1"), 0);
}

// mm/mempolicy.c: an unknown bandwidth counts as 0, and the weight is 1 at least. 15:15:1:1 is the kernel's.
TEST(EmulatorAsKernels, ANodeOfUnknownBandwidthGetsTheLeastWeight) {
    MachineDescription description = two_card_server();
    description.features.weighted_interleave = true;
    description.features.weighted_interleave_auto = true;
    description.features.access_coordinates = true;
    description.nodes.clear();
    const std::uint32_t bandwidths[] = {250000, 250000, 28000, 0};
    for (int i = 0; i < 4; ++i) {
        NodeDescription node;
        node.id = NodeId{i + 4};
        node.kernel_bytes = Bytes{1024 * MiB};
        if (bandwidths[i] != 0)
            node.access = {Nanoseconds{100}, Nanoseconds{100}, MegabytesPerSecond{bandwidths[i]},
                           MegabytesPerSecond{bandwidths[i]}};
        description.nodes.push_back(node);
    }
    const Topology topology = Machine{description, {}}.topology();
    std::vector<std::uint32_t> weights;
    for (const Node& node : topology.nodes) {
        if (node.id >= NodeId{4}) weights.push_back(node.interleave_weight.value_or(0));
    }
    EXPECT_THAT(weights, ElementsAre(15, 15, 1, 1));
}

TEST(EmulatorAsKernels, MemoryOfOneWindowIsOnOneNode) {
    Machine machine{one_window(), {}};
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem1"}}));
    EXPECT_EQ(machine.dax("dax0.0")->target_node, window_node);
    EXPECT_EQ(machine.dax("dax1.0")->target_node, window_node);
    ASSERT_TRUE(machine.remove_region("region0"));
    EXPECT_NE(find_node(machine.topology(), window_node), nullptr) << "the other one is still there";
}

TEST(EmulatorAsKernels, AWindowsNodeIsReadWrittenAndRecorded) {
    Machine machine{one_window(), {}};
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    const MachineDescription recorded = recorded_machine(machine.topology()).description;
    EXPECT_THAT(recorded.decoder_nodes, ElementsAre(Pair("decoder0.0", window_node)));
    const std::string text = write_machine(recorded);
    EXPECT_THAT(text, HasSubstr("target_node = 1\n\n[[region]]"));
    const ParsedMachine read = parse_machine(text, "recorded");
    ASSERT_TRUE(read) << to_string(read.error().front());
    EXPECT_EQ(read->decoder_nodes, recorded.decoder_nodes);
}

TEST(EmulatorAsKernels, R11_ARegionMadeAnewLiesBesideTheMemoryThatTheOldOneLost) {
    Machine machine{one_window(), {}};
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    ASSERT_TRUE(machine.write_block_state(first, BlockWrite::online_movable));
    ASSERT_TRUE(machine.remove_region("region0"));
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    const Topology topology = machine.topology();
    const DaxDevice& dax = *find_dax(topology, "dax0.0");
    EXPECT_EQ(dax.mode, DaxMode::system_ram);
    EXPECT_EQ(dax.resource, (PhysAddr{0x590000000 + 4096 * MiB}));
    EXPECT_FALSE(reboot_required(topology, dax));
}

TEST(EmulatorAsKernels, R3_CoordinatesComeWithEachFirstBlockBefore7_3) {
    Machine machine{one_window(), {}};
    for (int time = 0; time < 2; ++time) {
        ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
        EXPECT_FALSE(is_known(machine, "region0"));
        ASSERT_TRUE(machine.write_block_state(first, BlockWrite::online_movable));
        EXPECT_TRUE(is_known(machine, "region0"));
        ASSERT_TRUE(machine.write_block_state(first, BlockWrite::offline));
        EXPECT_TRUE(is_known(machine, "region0"));
        ASSERT_TRUE(machine.remove_region("region0"));
    }
}

TEST(EmulatorAsKernels, R3_7_3TellsCoordinatesOfANodeOnlyOnce) {
    MachineDescription description = one_window();
    description.features.dax_state = true;
    Machine machine{description, {}};
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    ASSERT_TRUE(machine.write_block_state(first, BlockWrite::online_movable));
    EXPECT_TRUE(is_known(machine, "region0"));
    ASSERT_TRUE(machine.write_block_state(first, BlockWrite::offline));
    ASSERT_TRUE(machine.remove_region("region0"));
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    ASSERT_TRUE(machine.write_block_state(first, BlockWrite::online_movable));
    EXPECT_FALSE(is_known(machine, "region0"));
    const Topology topology = machine.topology();
    EXPECT_EQ(find_node(topology, window_node)->access, AccessCoordinates{});
    EXPECT_TRUE(find_node(topology, window_node)->tier) << "which the kernel still makes of them";
}

TEST(EmulatorAsKernels, BeforeTheAutomaticModeEveryNodeHasAWeightAndNoughtIsOne) {
    Machine machine{one_window(), {}};
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    EXPECT_EQ(weight(machine), 1U) << "no memory of it is online";
    EXPECT_TRUE(machine.write_interleave_weight(window_node, 5));
    EXPECT_EQ(weight(machine), 5U);
    EXPECT_TRUE(machine.write_interleave_weight(window_node, 0));
    EXPECT_EQ(weight(machine), 1U);
    EXPECT_EQ(error_of(machine.write_interleave_weight(window_node, 256)), EINVAL);
}

TEST(EmulatorAsKernels, WithTheAutomaticModeOnlyNodesWithMemoryHaveAWeight) {
    MachineDescription description = one_window();
    description.features.weighted_interleave_auto = true;
    Machine machine{description, {}};
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    EXPECT_EQ(weight(machine), std::nullopt);
    EXPECT_EQ(error_of(machine.write_interleave_weight(window_node, 5)), ENOENT);
    ASSERT_TRUE(machine.write_block_state(first, BlockWrite::online_movable));
    EXPECT_EQ(error_of(machine.write_interleave_weight(window_node, 0)), EINVAL);
}

TEST(EmulatorAsKernels, TheAutomaticModeWantsABandwidth) {
    MachineDescription description = two_card_server();
    description.features.weighted_interleave_auto = true;
    Machine machine{description, {}};
    ASSERT_TRUE(machine.write_interleave_auto(false));
    const auto done = machine.write_interleave_auto(true);
    EXPECT_EQ(error_of(done), ENODEV);
    EXPECT_EQ(done.error().code, ErrorCode::not_supported);
    EXPECT_EQ(machine.topology().interleave_auto, false);
}

TEST(EmulatorAsKernels, WordsThatAreNoStateAreRefused) {
    Machine machine{two_card_server(), {}};
    for (const char* word : {"nonsense", "Online", "online-movable", "", "going-offline"}) {
        EXPECT_EQ(error_of(machine.write_block_state(first, word)), EINVAL) << word;
        EXPECT_EQ(error_of(machine.write_auto_online(word)), EINVAL) << word;
    }
    EXPECT_EQ(error_of(machine.write_block_state(BlockIndex{1}, "nonsense")), ENOENT);
    EXPECT_EQ(machine.topology().auto_online, AutoOnline::offline);
    ASSERT_TRUE(machine.write_auto_online("online_kernel"));
    EXPECT_EQ(machine.topology().auto_online, AutoOnline::online_kernel);
    ASSERT_TRUE(machine.write_block_state(first, "online_movable"));
    EXPECT_EQ(machine.blocks().zone(first), Zone::movable);
}

TEST(EmulatorAsKernels, ValidZonesHasTheZoneOfAPlainOnlineFirst) {
    Machine machine{two_card_server(), {}};
    EXPECT_EQ(machine.valid_zones(nth(1)), "Normal Movable");
    ASSERT_TRUE(machine.write_block_state(nth(0), BlockWrite::online_movable));
    ASSERT_TRUE(machine.write_block_state(nth(2), BlockWrite::online_movable));
    EXPECT_EQ(machine.valid_zones(nth(0)), "Movable");
    EXPECT_EQ(machine.valid_zones(nth(1)), "Movable Normal");
    EXPECT_EQ(machine.valid_zones(nth(3)), "Normal Movable");
    ASSERT_TRUE(machine.write_block_state(nth(4), BlockWrite::online_kernel));
    EXPECT_EQ(machine.valid_zones(nth(4)), "Normal");
    EXPECT_EQ(machine.valid_zones(BlockIndex{1}), "");
}

TEST(EmulatorAsKernels, R11_LeavingKmemWithABlockOnlineIsBusyAsOnTheRealMachine) {
    const Emulator emulator = make_emulator(two_card_server());
    Backend& backend = *emulator.pair.worker_side;
    const DaxIdentity dax = backend.scan()->dax_devices.front().id;
    ASSERT_TRUE(backend.set_block(dax, first, BlockTarget::online_movable));
    const auto done = backend.set_mode(dax, DaxMode::unbound);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::busy);
    EXPECT_EQ(done.error().errnum, EBUSY);
}

}  // namespace cxlmemd::emulator
