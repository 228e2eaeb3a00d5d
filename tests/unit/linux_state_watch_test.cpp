#include "backends/linux/state_watch.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

std::vector<BlockIndex> from_to(std::uint64_t first, std::uint64_t last) {
    std::vector<BlockIndex> out;
    for (std::uint64_t i = first; i <= last; ++i) out.emplace_back(i);
    return out;
}

}  // namespace

TEST(LinuxStateWatch, CountsTheBeginningThatIsDone) {
    const FakeTree tree;
    for (int online = 0; online <= 8; ++online) {
        for (int i = 0; i < 8; ++i) tree.block(10 + i, i < online ? "online\n" : "offline\n", "Movable\n");
        const MemoryBlocks blocks(tree.paths());
        EXPECT_EQ(blocks_done(blocks, from_to(10, 17), true), static_cast<std::uint64_t>(online));
    }
    EXPECT_EQ(blocks_done(MemoryBlocks(tree.paths()), {}, true), 0U);
}

TEST(LinuxStateWatch, WhatGoesIsOfflineOrAway) {
    const FakeTree tree;
    // 10 and 11 are away.
    tree.block(12, "offline\n", "Movable\n");
    tree.block(13, "going-offline\n", "Movable\n");
    tree.block(14, "online\n", "Movable\n");
    const MemoryBlocks blocks(tree.paths());
    EXPECT_EQ(blocks_done(blocks, from_to(10, 14), false), 4U);
    EXPECT_EQ(blocks_done(blocks, from_to(10, 14), true), 0U);
}

TEST(LinuxStateWatch, TellsOnceOfWhatIsDoneAndIsSilentAfterwards) {
    const FakeTree tree;
    tree.block(10, "online\n", "Movable\n");
    tree.block(11, "offline\n", "Movable\n");
    const MemoryBlocks blocks(tree.paths());
    std::promise<std::uint64_t> told;
    const std::function<void(std::uint64_t)> progress = [&](std::uint64_t done) { told.set_value(done); };
    {
        const StateWatch watch{blocks, from_to(10, 11), true, progress};
        EXPECT_EQ(told.get_future().get(), 1U);
    }
}

}  // namespace cxlmemd
