// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/memory_blocks.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

constexpr std::uint64_t size_128m = 0x8000000;

PhysRange range(std::uint64_t start, std::uint64_t size) {
    return {PhysAddr{start}, Bytes{size}};
}

std::vector<std::uint64_t> indices(const std::vector<Block>& blocks) {
    std::vector<std::uint64_t> out;
    for (const Block& block : blocks) out.push_back(block.index.value());
    return out;
}

}  // namespace

TEST(LinuxValidZones, AreTheKernelsWords) {
    EXPECT_EQ(parse_valid_zones("Normal Movable"), (ValidZones{.kernel = true, .movable = true, .named = 2}));
    EXPECT_EQ(parse_valid_zones("Movable"), (ValidZones{.kernel = false, .movable = true, .named = 1}));
    EXPECT_EQ(parse_valid_zones("DMA32"), (ValidZones{.kernel = true, .movable = false, .named = 1}));
    EXPECT_EQ(parse_valid_zones("none"), ValidZones{});
    EXPECT_EQ(parse_valid_zones(""), ValidZones{});
    EXPECT_EQ(parse_valid_zones("Device"), ValidZones{});
    EXPECT_EQ(parse_valid_zones("  movable \x01 Normal2"), ValidZones{});
}

TEST(LinuxMemoryBlocks, AKernelWithoutThemHasNone) {
    const FakeTree tree;
    const MemoryBlocks blocks(tree.paths());
    EXPECT_EQ(blocks.block_size().value(), Bytes{0});
    EXPECT_EQ(blocks.auto_online().value(), std::nullopt);
    EXPECT_TRUE(blocks.read(BlockIndex{1}).error().is_absence());
    EXPECT_EQ(blocks.open_state(BlockIndex{1}).error(), ENOENT);
    EXPECT_TRUE(blocks.read_overlapping(range(0, size_128m), Bytes{size_128m}, no_node)->empty());
    EXPECT_TRUE(blocks.existing({range(0, size_128m)}, Bytes{size_128m})->empty());
}

TEST(LinuxMemoryBlocks, BlockSizeIsHexAndAPowerOfTwoOrUnknown) {
    const FakeTree tree;
    const auto size_of = [&](std::string_view text) {
        tree.file("sys/devices/system/memory/block_size_bytes", text);
        return MemoryBlocks(tree.paths()).block_size();
    };
    EXPECT_EQ(size_of("8000000\n").value(), Bytes{size_128m});
    EXPECT_EQ(size_of("80000000\n").value(), Bytes{2ULL << 30});
    for (const char* bad : {"", "0", "1", "7000000", "garbage", "ffffffffffffffffff", "-8000000"}) {
        EXPECT_FALSE(size_of(bad)) << bad;
    }
    tree.remove("sys/devices/system/memory/block_size_bytes");
    tree.folder("sys/devices/system/memory/block_size_bytes");
    EXPECT_EQ(MemoryBlocks(tree.paths()).block_size().error().errnum, EISDIR);
}

TEST(LinuxMemoryBlocks, AnOnlineBlockHasTheZoneItIsIn) {
    const FakeTree tree;
    tree.block(10, "online\n", "Movable\n");
    tree.block(11, "online\n", "Normal\n");
    tree.block(12, "online\n", "none\n");  // spans zones: not all of it can be offlined
    const MemoryBlocks blocks(tree.paths());
    EXPECT_EQ(blocks.read(BlockIndex{10})->zone, Zone::movable);
    EXPECT_EQ(blocks.read(BlockIndex{11})->zone, Zone::kernel);
    EXPECT_EQ(blocks.read(BlockIndex{12})->zone, Zone::kernel);
}

TEST(LinuxMemoryBlocks, AnOfflineBlockHasTheZonesItMayGoTo) {
    const FakeTree tree;
    tree.block(10, "offline\n", "Normal Movable\n");
    tree.block(11, "offline\n", "Movable\n");
    tree.block(12, "going-offline\n", "Normal\n");
    const MemoryBlocks blocks(tree.paths());
    const auto both = *blocks.read(BlockIndex{10});
    EXPECT_EQ(both.zone, Zone::none);
    EXPECT_TRUE(both.kernel_allowed && both.movable_allowed);
    const auto movable = *blocks.read(BlockIndex{11});
    EXPECT_TRUE(!movable.kernel_allowed && movable.movable_allowed);
    const auto going = *blocks.read(BlockIndex{12});
    EXPECT_EQ(going.state, BlockState::going_offline);
    EXPECT_EQ(going.zone, Zone::none);
}

TEST(LinuxMemoryBlocks, NodeIsTheOneOfTheLinkWhateverWasExpected) {
    const FakeTree tree;
    tree.block(10, "offline\n", "Normal\n", 3);
    const MemoryBlocks blocks(tree.paths());
    for (const NodeId expected : {NodeId{3}, NodeId{1}, no_node}) {
        EXPECT_EQ(blocks.read(BlockIndex{10}, expected)->node, NodeId{3});
    }
    tree.remove("sys/devices/system/memory/memory10/node3");
    EXPECT_EQ(blocks.read(BlockIndex{10})->node, no_node);
}

TEST(LinuxMemoryBlocks, ABlockThatMakesNoSenseIsUnknownAndNotAbsent) {
    const FakeTree tree;
    for (const char* bad : {"", "\n", "onlinex", "offline offline", "\xff\xfe", "going-online"}) {
        tree.block(10, bad, "Normal\n");
        const auto read = MemoryBlocks(tree.paths()).read(BlockIndex{10});
        ASSERT_FALSE(read) << bad;
        EXPECT_FALSE(read.error().is_absence()) << bad;
        EXPECT_STREQ(read.error().part, "state");
        EXPECT_FALSE(MemoryBlocks(tree.paths())
                         .read_overlapping(range(10 * size_128m, size_128m), Bytes{size_128m}, no_node))
            << bad;
    }
}

// A folder in place of a file: EISDIR, which is no ENOENT.
TEST(LinuxMemoryBlocks, WhatCannotBeReadIsUnknownAndNotAbsent) {
    const FakeTree tree;
    for (const char* part : {"state", "valid_zones"}) {
        tree.block(10, "offline\n", "Normal\n");
        const std::string file = std::string{"sys/devices/system/memory/memory10/"} + part;
        tree.remove(file);
        tree.folder(file);
        const MemoryBlocks blocks(tree.paths());
        const auto read = blocks.read(BlockIndex{10});
        ASSERT_FALSE(read) << part;
        EXPECT_EQ(read.error().errnum, EISDIR);
        EXPECT_STREQ(read.error().part, part);
        const auto all =
            blocks.read_overlapping(range(9 * size_128m, 3 * size_128m), Bytes{size_128m}, no_node);
        ASSERT_FALSE(all);
        EXPECT_EQ(all.error().errnum, EISDIR);
        EXPECT_EQ(all.error().object, "memory block 10");
        tree.remove("sys/devices/system/memory/memory10");
    }
    tree.block(10, "offline\n", "Normal\n");
    tree.file("sys/devices/system/memory/auto_online_blocks", "at_noon\n");
    EXPECT_EQ(MemoryBlocks(tree.paths()).auto_online().value(), AutoOnline::online);
    tree.file("sys/devices/system/memory/auto_online_blocks", "");
    EXPECT_FALSE(MemoryBlocks(tree.paths()).auto_online());
    tree.remove("sys/devices/system/memory/memory10/removable");
    tree.folder("sys/devices/system/memory/memory10/removable");
    EXPECT_FALSE(MemoryBlocks(tree.paths()).hotremove());
}

TEST(LinuxMemoryBlocks, ExistingAreThoseOfTheFolderThatTouchARange) {
    const FakeTree tree;
    for (const int index : {9, 10, 12, 13, 400}) tree.block(index, "offline\n", "Movable\n");
    tree.folder("sys/devices/system/memory/power");
    const MemoryBlocks blocks(tree.paths());
    const auto found = blocks.existing(
        {range(10 * size_128m + size_128m / 2, 2 * size_128m), range(400 * size_128m, 1)}, Bytes{size_128m});
    ASSERT_TRUE(found);
    EXPECT_THAT(*found, ::testing::ElementsAre(BlockIndex{10}, BlockIndex{12}, BlockIndex{400}));
}

TEST(LinuxMemoryBlocks, WithoutValidZonesEverythingIsAllowedAndOnlineIsKernel) {
    const FakeTree tree;
    tree.block(10, "offline\n", "");
    tree.block(11, "online\n", "");
    tree.remove("sys/devices/system/memory/memory10/valid_zones");
    tree.remove("sys/devices/system/memory/memory11/valid_zones");
    const MemoryBlocks blocks(tree.paths());
    EXPECT_TRUE(blocks.read(BlockIndex{10})->movable_allowed);
    EXPECT_EQ(blocks.read(BlockIndex{11})->zone, Zone::kernel);
}

TEST(LinuxMemoryBlocks, OverlappingTakesBlocksThatAreTouchedAndExist) {
    const FakeTree tree;
    for (const int index : {9, 10, 12, 13}) tree.block(index, "offline\n", "Movable\n");
    const MemoryBlocks blocks(tree.paths());
    // from the middle of 10 to the middle of 12; 11 does not exist
    const auto found = blocks.read_overlapping(range(10 * size_128m + size_128m / 2, 2 * size_128m),
                                               Bytes{size_128m}, NodeId{1});
    EXPECT_THAT(indices(found.value()), ::testing::ElementsAre(10, 12));
}

TEST(LinuxMemoryBlocks, AnAbsurdRangeIsAnsweredFromTheFoldersList) {
    const FakeTree tree;
    for (const int index : {100, 9}) tree.block(index, "offline\n", "Movable\n");
    tree.folder("sys/devices/system/memory/power");
    const MemoryBlocks blocks(tree.paths());
    const auto found = blocks.read_overlapping(range(0, ~0ULL - size_128m), Bytes{size_128m}, NodeId{1});
    EXPECT_THAT(indices(found.value()), ::testing::ElementsAre(9, 100));
}

TEST(LinuxMemoryBlocks, R13_HotRemoveIsWhatRemovableSays) {
    const FakeTree tree;
    tree.block(32, "online\n", "Normal\n");
    EXPECT_TRUE(MemoryBlocks(tree.paths()).hotremove().value());
    tree.file("sys/devices/system/memory/memory32/removable", "0\n");
    EXPECT_FALSE(MemoryBlocks(tree.paths()).hotremove().value());
}

TEST(LinuxMemoryBlocks, R14_ABlockThatTheKernelIsStillMakingIsNotThereYet) {
    const FakeTree tree;
    tree.folder("sys/devices/system/node/node1");
    tree.file("sys/devices/system/memory/memory32/state", "offline\n");
    tree.file("sys/devices/system/memory/memory32/valid_zones", "Normal Movable\n");
    const MemoryBlocks blocks(tree.paths());
    EXPECT_EQ(blocks.read(BlockIndex{32}, NodeId{1}).error().errnum, EAGAIN);
    tree.link("sys/devices/system/memory/memory32/node1", "../../node/node1");
    EXPECT_TRUE(blocks.read(BlockIndex{32}, NodeId{1}));
}

}  // namespace cxlmemd
