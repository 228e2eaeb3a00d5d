// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemd --early, on a tree of files.
#include "daemon/early.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {
namespace {

constexpr const char* kernels = "sys/devices/system/memory/auto_online_blocks";
constexpr const char* kept = "run/cxlmemd/auto_online_blocks";
constexpr const char* settings = "etc/daemon.toml";

class Early : public ::testing::Test {
 protected:
    Early() {
        tree.block_size();
        tree.file(kernels, "online\n");
        tree.folder("run/cxlmemd");
        tree.folder("etc/policy.d");
    }
    [[nodiscard]] int hold() const {
        const std::filesystem::path root = tree.paths().etc.substr(0, tree.paths().etc.rfind('/'));
        Options options;
        options.runtime_dir = root / "run/cxlmemd";
        return hold_auto_online(options, ConfigPaths::only(root / "etc"), tree.paths());
    }

    FakeTree tree;
};

}  // namespace

TEST_F(Early, ManagedMemoryWaitsAndTheOldValueIsKept) {
    tree.file(settings, "auto_online = \"manage\"\n");
    EXPECT_EQ(hold(), 0);
    EXPECT_EQ(tree.text(kernels), "offline");
    EXPECT_EQ(tree.text(kept), "online");
}

TEST_F(Early, WhatIsLeftAloneStays) {
    for (const char* text : {"", "auto_online = \"leave\"\n", "auto_online = \"manage\"\nnonsense = 1\n"}) {
        tree.file(settings, text);
        EXPECT_EQ(hold(), 0) << text;
        EXPECT_EQ(tree.text(kernels), "online\n") << text;
        EXPECT_EQ(tree.text(kept), "") << text;
    }
}

TEST_F(Early, PolicyWithErrorsLeavesItAloneTooAsTheDaemonWouldOnlyWatch) {
    tree.file(settings, "auto_online = \"manage\"\n");
    tree.file("etc/policy.d/10-bad.toml", "[[rule]]\nname = 7\n");
    EXPECT_EQ(hold(), 0);
    EXPECT_EQ(tree.text(kernels), "online\n");
}

TEST_F(Early, AKernelThatWaitsAlreadyIsNotTouched) {
    tree.file(settings, "auto_online = \"manage\"\n");
    tree.file(kernels, "offline\n");
    EXPECT_EQ(hold(), 0);
    EXPECT_EQ(tree.text(kernels), "offline\n");
    EXPECT_EQ(tree.text(kept), "");
    tree.remove(kernels);  // a kernel without memory hotplug
    EXPECT_EQ(hold(), 0);
}

TEST_F(Early, AnOldValueThatCannotBeKeptIsNotOverwritten) {
    tree.file(settings, "auto_online = \"manage\"\n");
    tree.remove("run/cxlmemd");
    tree.file("run/cxlmemd", "no folder");
    EXPECT_EQ(hold(), 1);
    EXPECT_EQ(tree.text(kernels), "online\n");
}

}  // namespace cxlmemd
