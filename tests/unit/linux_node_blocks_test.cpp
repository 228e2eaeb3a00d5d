// SPDX-License-Identifier: LGPL-2.1-or-later
// What a node tells of all its blocks, and when it has to be left to the blocks themselves.
#include "backends/linux/node_blocks.h"

#include <gtest/gtest.h>

#include <string>

#include "backends/linux/nodes.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

constexpr int first = 100;
constexpr int count = 4;
constexpr std::uint64_t pages = 0x8000000 / 4096;  // of a block
constexpr NodeId node{1};

class LinuxNodeBlocks : public ::testing::Test {
 protected:
    LinuxNodeBlocks() { tree.block_size(); }

    void blocks(std::string_view state, std::string_view zones) const {
        for (int i = first; i < first + count; ++i) {
            tree.block(i, state, zones);
            tree.link("sys/devices/system/node/node1/memory" + std::to_string(i),
                      "../../memory/memory" + std::to_string(i));
        }
    }
    // Present pages of node 1. Node 0 has some always.
    void zoneinfo(std::uint64_t normal, std::uint64_t movable) const {
        std::string text = "Node 0, zone   Normal\n        present  4096\n";
        text += "Node 1, zone   Normal\n        present  " + std::to_string(normal) + "\n";
        text += "Node 1, zone  Movable\n        present  " + std::to_string(movable) + "\n";
        tree.file("proc/zoneinfo", text);
    }
    // Only what the node tells: every block but the first, which is read for the others, says something else.
    [[nodiscard]] std::optional<Block> told(int index) const {
        for (int i = first + 1; i < first + count; ++i) tree.block(i, "going-offline\n", "none\n");
        const MemoryBlocks blocks(tree.paths());
        return NodeBlocks(paths, blocks, Bytes{128ULL << 20}, read_zones(paths))
            .find(BlockIndex(index), node);
    }

    FakeTree tree;
    LinuxPaths paths = tree.paths();
};

}  // namespace

TEST_F(LinuxNodeBlocks, WithoutAPageOnlineEveryBlockIsOffline) {
    blocks("offline\n", "Normal Movable\n");
    zoneinfo(0, 0);
    const auto block = told(first + 3);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->index, BlockIndex{first + 3});
    EXPECT_EQ(block->node, node);
    EXPECT_EQ(block->state, BlockState::offline);
    EXPECT_EQ(block->zone, Zone::none);
    EXPECT_TRUE(block->kernel_allowed && block->movable_allowed);
}

TEST_F(LinuxNodeBlocks, WithAllPagesInOneZoneEveryBlockIsThere) {
    blocks("online\n", "Movable\n");
    zoneinfo(0, count * pages);
    ASSERT_TRUE(told(first + 3));
    EXPECT_EQ(told(first + 3)->state, BlockState::online);
    EXPECT_EQ(told(first + 3)->zone, Zone::movable);

    blocks("online\n", "Normal\n");
    zoneinfo(count * pages, 0);
    ASSERT_TRUE(told(first + 3));
    EXPECT_EQ(told(first + 3)->zone, Zone::kernel);
}

TEST_F(LinuxNodeBlocks, AnythingElseIsLeftToTheBlocks) {
    blocks("online\n", "Movable\n");
    zoneinfo(0, count * pages - 1);
    EXPECT_FALSE(told(first + 3)) << "a page is missing";
    zoneinfo(1, count * pages);
    EXPECT_FALSE(told(first + 3)) << "and one in another zone";
    zoneinfo(count * pages, 0);
    EXPECT_FALSE(told(first + 3)) << "the block that was read says another zone";
    zoneinfo(0, 0);
    EXPECT_FALSE(told(first + 3)) << "the block that was read is online";
    blocks("offline\n", "Normal Movable\n");
    zoneinfo(0, pages);
    EXPECT_FALSE(told(first + 3)) << "one of them is online";
}

TEST_F(LinuxNodeBlocks, WhatIsNotReadableIsNoZero) {
    blocks("offline\n", "Normal Movable\n");
    EXPECT_FALSE(told(first + 3)) << "no zoneinfo";
    zoneinfo(0, 0);
    EXPECT_FALSE(told(first + count)) << "not a block of this node";
    const MemoryBlocks all(paths);
    EXPECT_FALSE(
        NodeBlocks(paths, all, Bytes{128ULL << 20}, read_zones(paths)).find(BlockIndex(first), NodeId{2}));
    EXPECT_FALSE(
        NodeBlocks(paths, all, Bytes{128ULL << 20}, read_zones(paths)).find(BlockIndex(first), no_node));
}

// The kernel makes a block's files before it has given it a node; see memory_blocks.cpp.
TEST_F(LinuxNodeBlocks, ABlockWithoutItsLinkToTheNodeSpeaksForNobody) {
    blocks("offline\n", "Normal Movable\n");
    zoneinfo(0, 0);
    tree.remove("sys/devices/system/memory/memory100/node1");
    EXPECT_FALSE(told(first + 3));
}

}  // namespace cxlmemd
