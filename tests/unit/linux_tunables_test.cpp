// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/tunables.h"

#include <gtest/gtest.h>

#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {
namespace {

const std::string weights = "sys/kernel/mm/mempolicy/weighted_interleave";
const std::string demotion = "sys/kernel/mm/numa/demotion_enabled";

TEST(LinuxTunables, AreWrittenToTheirFiles) {
    const FakeTree tree;
    tree.file(weights + "/node1", "1\n");
    tree.file(weights + "/auto", "true\n");
    tree.file(demotion, "false\n");
    EXPECT_EQ(read_interleave_auto(tree.paths()), true);
    EXPECT_EQ(read_demotion(tree.paths()), false);
    EXPECT_TRUE(write_interleave_weight(tree.paths(), NodeId{1}, 200));
    EXPECT_TRUE(write_interleave_auto(tree.paths(), false));
    EXPECT_TRUE(write_demotion(tree.paths(), true));
    EXPECT_TRUE(tree.text(weights + "/node1").starts_with("200"));
    EXPECT_EQ(read_interleave_auto(tree.paths()), std::nullopt);  // "0rue": the tree has no behaviour
    EXPECT_TRUE(tree.text(demotion).starts_with("1"));
}

TEST(LinuxTunables, AutomaticModeIsFoundUnderItsOtherName) {
    const FakeTree tree;
    tree.file(weights + "/__auto_type", "false\n");
    EXPECT_EQ(read_interleave_auto(tree.paths()), false);
    EXPECT_TRUE(write_interleave_auto(tree.paths(), true));
    EXPECT_TRUE(tree.text(weights + "/__auto_type").starts_with("1"));
}

TEST(LinuxTunables, KernelWithoutThemIsNotSupportedAndAMissingNodeNotFound) {
    const FakeTree tree;
    const auto code = [](const Result<>& done) { return done ? ErrorCode::failed : done.error().code; };
    EXPECT_EQ(read_demotion(tree.paths()), std::nullopt);
    EXPECT_EQ(code(write_demotion(tree.paths(), true)), ErrorCode::not_supported);
    EXPECT_EQ(code(write_interleave_auto(tree.paths(), true)), ErrorCode::not_supported);
    EXPECT_EQ(code(write_interleave_weight(tree.paths(), NodeId{1}, 2)), ErrorCode::not_supported);
    tree.folder(weights);
    EXPECT_EQ(code(write_interleave_weight(tree.paths(), NodeId{1}, 2)), ErrorCode::not_found);
}

}  // namespace
}  // namespace cxlmemd
