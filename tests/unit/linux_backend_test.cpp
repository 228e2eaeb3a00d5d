// SPDX-License-Identifier: LGPL-2.1-or-later
// The backend on a tree of files: what it looks at before it writes. (Scans go through libraries that read
// the real /sys: tests/sysfs and tests/contract.)
#include "backends/linux/linux_backend.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "backends/linux/dax_scan.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

class LinuxBackendFiles : public ::testing::Test {
 protected:
    LinuxBackendFiles() {
        tree.block_size();
        tree.file("sys/devices/system/memory/auto_online_blocks", "offline\n");
        tree.dax("dax0.0", 10, 2);
        for (const int index : {9, 10, 11}) tree.block(index, "offline\n", "Normal Movable\n");
    }

    [[nodiscard]] DaxIdentity owner() const {
        DaxIdentity out;
        out.name = "dax0.0";
        out.generation = read_dax_generation(tree.paths(), "dax0.0").value_or(0);
        return out;
    }
    Result<> online(const DaxIdentity& who, std::uint64_t index) const {
        return LinuxBackend(tree.paths()).set_block(who, BlockIndex{index}, BlockTarget::online_movable);
    }
    [[nodiscard]] std::string state(int index) const {
        return tree.text("sys/devices/system/memory/memory" + std::to_string(index) + "/state");
    }

    FakeTree tree;
};

}  // namespace

TEST_F(LinuxBackendFiles, WritesTheKernelsWord) {
    ASSERT_TRUE(online(owner(), 10));
    EXPECT_EQ(state(10), "online_movable");
    EXPECT_EQ(state(11), "offline\n");
}

TEST_F(LinuxBackendFiles, R7_AnotherIncarnationIsGoneAndNothingIsWritten) {
    DaxIdentity old = owner();
    ++old.generation;
    const auto result = online(old, 10);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::gone);
    EXPECT_EQ(state(10), "offline\n");
}

TEST_F(LinuxBackendFiles, R7_ADeviceThatIsNotBoundToKmemIsGone) {
    tree.bound("dax0.0", "device_dax");
    const auto result = online(owner(), 10);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::gone);
    EXPECT_EQ(state(10), "offline\n");
}

TEST_F(LinuxBackendFiles, R5_NoBlockOutsideTheDevicesRangesIsTouched) {
    const auto result = online(owner(), 9);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(state(9), "offline\n");
}

TEST_F(LinuxBackendFiles, R15_ABlockThatDoesNotExistIsGoneAndNamed) {
    tree.remove("sys/devices/system/memory/memory11");
    const auto result = online(owner(), 11);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::gone);
    EXPECT_EQ(result.error().errnum, ENOENT);
    EXPECT_EQ(result.error().object, "memory block 11");
}

TEST_F(LinuxBackendFiles, R13_WithoutHotRemoveOfflineIsNotSupported) {
    for (const int index : {9, 10, 11}) {
        tree.file("sys/devices/system/memory/memory" + std::to_string(index) + "/removable", "0\n");
    }
    LinuxBackend backend(tree.paths());
    const auto result = backend.set_block(owner(), BlockIndex{10}, BlockTarget::offline);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::not_supported);
    EXPECT_EQ(state(10), "offline\n");
}

TEST_F(LinuxBackendFiles, ReadsBlocksInTheOrderAskedForWithoutThoseThatAreMissing) {
    const std::vector<BlockIndex> asked{BlockIndex{11}, BlockIndex{500}, BlockIndex{10}};
    const auto found = LinuxBackend(tree.paths()).read_blocks(asked);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->at(0).index, BlockIndex{11});
    EXPECT_EQ(found->at(1).index, BlockIndex{10});
}

TEST_F(LinuxBackendFiles, SetsAutoOnlineOrSaysThatTheKernelHasNone) {
    LinuxBackend backend(tree.paths());
    ASSERT_TRUE(backend.set_auto_online(AutoOnline::online_movable));
    EXPECT_EQ(tree.text("sys/devices/system/memory/auto_online_blocks"), "online_movable");
    tree.remove("sys/devices/system/memory/auto_online_blocks");
    const auto result = backend.set_auto_online(AutoOnline::offline);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::not_supported);
}

// One backend for several blocks: what it knows of the owner holds as long as kmem's link to it is the same.
TEST_F(LinuxBackendFiles, R7_AnOwnerThatWasKnownIsLookedAtAgainOnceItsBindIsAnother) {
    const std::string link = "sys/bus/dax/drivers/kmem/dax0.0";
    tree.link(link, "../../../../devices/platform/hmem.0/dax0.0");
    LinuxBackend backend(tree.paths());
    const DaxIdentity who = owner();
    const auto online = [&](std::uint64_t index) {
        return backend.set_block(who, BlockIndex{index}, BlockTarget::online_movable);
    };
    ASSERT_TRUE(online(10));
    ASSERT_TRUE(online(11));

    tree.block(11, "offline\n", "Normal Movable\n");
    tree.remove(link);
    tree.bound("dax0.0", "device_dax");
    const auto unbound = online(11);
    ASSERT_FALSE(unbound);
    EXPECT_EQ(unbound.error().code, ErrorCode::gone);
    EXPECT_EQ(state(11), "offline\n");

    tree.bound("dax0.0", "kmem");
    tree.link(link, "../../../../devices/platform/hmem.0/dax0.0");
    EXPECT_TRUE(online(11)) << "the same device, bound again";

    // Another device of that name: made beside the old one, so that it cannot get its inode.
    tree.folder("sys/devices/platform/hmem.1/dax0.0");
    tree.link("sys/bus/dax/devices/dax0.0", "../../../devices/platform/hmem.1/dax0.0");
    tree.link("sys/bus/dax/drivers/kmem/other", "../../../../devices/platform/hmem.1/dax0.0");
    tree.rename("sys/bus/dax/drivers/kmem/other", link);
    const auto other = online(10);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::gone);
}

}  // namespace cxlmemd
