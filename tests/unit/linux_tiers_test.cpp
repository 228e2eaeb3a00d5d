// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/tiers.h"

#include <gtest/gtest.h>

#include "linux_fake_tree.h"

namespace cxlmemd {
namespace {

constexpr std::uint64_t block_bytes = 128ULL << 20;
const std::string folder = "sys/devices/virtual/memory_tiering";

// A node of DRAM and one of hotplugged memory with so many blocks online, of two.
Topology machine(std::size_t online, BlockState other = BlockState::offline) {
    Topology topology;
    topology.block_size = Bytes{block_bytes};
    topology.nodes.resize(2);
    topology.nodes[0].id = NodeId{0};
    topology.nodes[0].has_cpu = true;
    topology.nodes[0].bytes_kernel = Bytes{block_bytes};
    topology.nodes[1].id = NodeId{1};
    topology.nodes[1].bytes_movable = Bytes{online * block_bytes};
    topology.dax_devices.resize(1);
    topology.dax_devices[0].target_node = NodeId{1};
    for (std::uint64_t i = 0; i < 2; ++i) {
        Block block;
        block.index = BlockIndex{i};
        block.node = NodeId{1};
        block.state = i < online ? BlockState::online : other;
        topology.blocks.push_back(block);
    }
    return topology;
}

std::optional<int> tier_of_card(Tiers& tiers, Topology topology) {
    tiers.fill(topology);
    return topology.nodes[1].tier;
}

void make_two_tiers(const FakeTree& tree) {
    tree.file(folder + "/memory_tier4/nodelist", "0\n");
    tree.file(folder + "/memory_tier22/nodelist", "1,10\n");
}

TEST(LinuxTiers, AreKnownOnceANodeHasMemory) {
    const FakeTree tree;
    make_two_tiers(tree);
    Tiers tiers{tree.paths()};
    Topology topology = machine(2);
    tiers.fill(topology);
    EXPECT_EQ(topology.nodes[0].tier, 4);
    EXPECT_EQ(topology.nodes[1].tier, 22);
}

TEST(LinuxTiers, R14_AreNotReadWhileANodeIsDownToItsLastBlock) {
    const FakeTree tree;
    make_two_tiers(tree);
    Tiers tiers{tree.paths()};
    EXPECT_EQ(tier_of_card(tiers, machine(1)), std::nullopt);
    EXPECT_EQ(tier_of_card(tiers, machine(2)), 22);
}

TEST(LinuxTiers, R14_AreNotReadWhileABlockIsGoingOffline) {
    const FakeTree tree;
    make_two_tiers(tree);
    Tiers tiers{tree.paths()};
    EXPECT_EQ(tier_of_card(tiers, machine(1, BlockState::going_offline)), std::nullopt);
}

TEST(LinuxTiers, R14_AreNotReadAgainWhileTheNodeHasMemory) {
    const FakeTree tree;
    make_two_tiers(tree);
    Tiers tiers{tree.paths()};
    ASSERT_EQ(tier_of_card(tiers, machine(2)), 22);
    tree.file(folder + "/memory_tier22/nodelist", "10\n");
    tree.file(folder + "/memory_tier9/nodelist", "1\n");
    EXPECT_EQ(tier_of_card(tiers, machine(2)), 22);
    EXPECT_EQ(tier_of_card(tiers, machine(1)), 22);
}

TEST(LinuxTiers, AreForgottenWhenTheNodeHasNoMemory) {
    const FakeTree tree;
    make_two_tiers(tree);
    Tiers tiers{tree.paths()};
    ASSERT_EQ(tier_of_card(tiers, machine(2)), 22);
    EXPECT_EQ(tier_of_card(tiers, machine(0)), std::nullopt);
    tree.file(folder + "/memory_tier22/nodelist", "10\n");
    tree.file(folder + "/memory_tier9/nodelist", "1\n");
    EXPECT_EQ(tier_of_card(tiers, machine(2)), 9);
}

TEST(LinuxTiers, GarbageIsNotKnown) {
    const FakeTree tree;
    tree.file(folder + "/memory_tierX/nodelist", "1");
    tree.file(folder + "/memory_tier99999999999/nodelist", "1");
    tree.file(folder + "/memory_tier5/nodelist", "0-99999999");
    Tiers tiers{tree.paths()};
    EXPECT_EQ(tier_of_card(tiers, machine(2)), std::nullopt);
}

}  // namespace
}  // namespace cxlmemd
