// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of blocks that come next, opened on a thread of their own.
#include "backends/linux/files_ahead.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <ranges>
#include <thread>

#include "backends/linux/dax_scan.h"
#include "backends/linux/linux_backend.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

constexpr int first_block = 10;
constexpr int all_blocks = 400;
constexpr int most_ahead = 128;  // two batches of the largest size
const std::string link = "sys/bus/dax/drivers/kmem/dax0.0";

class LinuxFilesAhead : public ::testing::Test {
 protected:
    LinuxFilesAhead() {
        tree.block_size();
        tree.file("sys/devices/system/memory/auto_online_blocks", "offline\n");
        tree.dax("dax0.0", first_block, all_blocks);
        tree.link(link, "../../../../devices/platform/hmem.0/dax0.0");
        for (int i = 0; i < all_blocks; ++i) {
            tree.block(first_block + i, "offline\n", "Normal Movable\n");
            downwards.emplace_back(first_block + all_blocks - 1 - i);
        }
    }

    [[nodiscard]] static std::string state_file(BlockIndex block) {
        return "sys/devices/system/memory/memory" + std::to_string(block.value()) + "/state";
    }
    [[nodiscard]] std::string state(BlockIndex block) const { return tree.text(state_file(block)); }
    [[nodiscard]] long online() const {
        return std::ranges::count(downwards, "online_movable", [&](BlockIndex each) { return state(each); });
    }
    // The file that is open behind a descriptor.
    [[nodiscard]] static std::string name_of(const sysfs::Fd& file) {
        return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file.get())).string();
    }
    [[nodiscard]] static long open_files() {
        const std::filesystem::directory_iterator all("/proc/self/fd");
        return std::distance(begin(all), end(all));
    }

    FakeTree tree;
    std::vector<BlockIndex> downwards;
};

class LinuxExpectedBlocks : public LinuxFilesAhead {
 protected:
    LinuxExpectedBlocks() : backend(tree.paths()) {
        who.name = "dax0.0";
        who.generation = read_dax_generation(tree.paths(), "dax0.0").value_or(0);
    }
    Result<> set(BlockIndex block) { return backend.set_block(who, block, BlockTarget::online_movable); }
    // All of them, in order, until one fails; with how many were written.
    Result<> set_all(std::size_t& written, const std::function<void(std::size_t)>& before = {}) {
        backend.expect_blocks(who, downwards);
        for (written = 0; written < downwards.size(); ++written) {
            if (before) before(written);
            if (auto done = set(downwards[written]); !done) return done;
        }
        return {};
    }

    LinuxBackend backend;
    DaxIdentity who;
};

}  // namespace

TEST_F(LinuxFilesAhead, GivesEachFileInItsTurn) {
    const MemoryBlocks blocks(tree.paths());
    FilesAhead ahead(blocks, downwards);
    for (const BlockIndex block : downwards) {
        const sysfs::Fd* const file = ahead.take(block);
        ASSERT_NE(file, nullptr) << block.value();
        EXPECT_THAT(name_of(*file), ::testing::EndsWith(state_file(block)));
    }
    EXPECT_EQ(ahead.take(downwards.back()), nullptr) << "the order is done";
}

TEST_F(LinuxFilesAhead, AnotherThanTheNextIsNotGiven) {
    const MemoryBlocks blocks(tree.paths());
    FilesAhead ahead(blocks, downwards);
    EXPECT_EQ(ahead.take(downwards[1]), nullptr);
    EXPECT_NE(ahead.take(downwards[0]), nullptr);
}

TEST_F(LinuxFilesAhead, AFileThatIsNotThereIsNoneAndTheNextIs) {
    tree.remove(state_file(downwards[20]));
    const MemoryBlocks blocks(tree.paths());
    FilesAhead ahead(blocks, downwards);
    for (std::size_t i = 0; i < downwards.size(); ++i)
        EXPECT_EQ(ahead.take(downwards[i]) == nullptr, i == 20);
}

TEST_F(LinuxFilesAhead, EveryFileIsClosedWhereverItEnds) {
    const MemoryBlocks blocks(tree.paths());
    const long before = open_files();
    for (const int taken : {0, 1, 8, 9, 24, 25, 50, 56, 57, 120, 121, 300, all_blocks}) {
        {
            FilesAhead ahead(blocks, downwards);
            for (int i = 0; i < taken; ++i)
                ASSERT_NE(ahead.take(downwards[static_cast<std::size_t>(i)]), nullptr);
            EXPECT_LE(open_files(), before + most_ahead);
        }
        EXPECT_EQ(open_files(), before) << taken;
    }
}

TEST_F(LinuxExpectedBlocks, AreWrittenAsAnyOther) {
    std::size_t written = 0;
    const long before = open_files();
    backend.expect_blocks(who, downwards);
    ASSERT_TRUE(set(downwards[0]));
    ASSERT_TRUE(set(downwards[1]));
    const bool alone = std::thread::hardware_concurrency() < 2;
    EXPECT_TRUE(alone || open_files() > before + 8) << "those that come next are open";
    EXPECT_TRUE(set_all(written));
    EXPECT_EQ(online(), all_blocks);
    backend.expect_blocks(who, {});
}

TEST_F(LinuxExpectedBlocks, InAnotherOrderToo) {
    backend.expect_blocks(who, downwards);
    ASSERT_TRUE(set(downwards[0]));
    for (std::size_t i = all_blocks - 1; i != 0; --i) ASSERT_TRUE(set(downwards[i]));
    EXPECT_EQ(online(), all_blocks);
}

TEST_F(LinuxExpectedBlocks, R7_OfALostOwnerAreNotWrittenThoughTheirFilesAreOpen) {
    std::size_t written = 0;
    const auto done = set_all(written, [&](std::size_t i) {
        if (i == 40) tree.remove(link);
        if (i == 40) tree.bound("dax0.0", "device_dax");
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::gone);
    EXPECT_EQ(done.error().object, "dax0.0");
    EXPECT_EQ(written, 40U);
    EXPECT_EQ(online(), 40);
}

TEST_F(LinuxExpectedBlocks, R7_ABlockThatWasMadeAnewIsNotWrittenThroughTheOldOnesFile) {
    std::size_t written = 0;
    const auto again = [&](std::size_t i) {
        if (i != 20) return;
        // The device goes, and all its blocks; another comes with blocks of the same names.
        tree.remove(link);
        tree.folder("sys/devices/platform/hmem.1/dax0.0");
        tree.link("sys/bus/dax/devices/dax0.0", "../../../devices/platform/hmem.1/dax0.0");
        for (const BlockIndex each : downwards) {
            tree.remove(state_file(each));
            tree.file(state_file(each), "offline\n");
        }
    };
    const auto done = set_all(written, again);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::gone);
    EXPECT_EQ(online(), 0) << "what was written is in the files that are gone";
}

TEST_F(LinuxExpectedBlocks, ABlockOutsideTheDeviceIsRefusedThoughExpected) {
    tree.block(first_block - 1, "offline\n", "Normal Movable\n");
    downwards.emplace_back(first_block - 1);
    std::size_t written = 0;
    const auto done = set_all(written);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(written, static_cast<std::size_t>(all_blocks));
}

TEST_F(LinuxExpectedBlocks, OfOneDeviceAreNotTakenForAnothers) {
    backend.expect_blocks(who, downwards);
    ASSERT_TRUE(set(downwards[0]));
    DaxIdentity other = who;
    ++other.generation;
    const auto done = backend.set_block(other, downwards[1], BlockTarget::online_movable);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::gone);
    EXPECT_EQ(state(downwards[1]), "offline\n");
}

}  // namespace cxlmemd
