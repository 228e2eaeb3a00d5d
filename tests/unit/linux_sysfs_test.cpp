// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/sysfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

}  // namespace

TEST(LinuxSysfs, ReadsAnAttributeWithoutTheLineEnd) {
    const FakeTree tree;
    tree.file("sys/a", "online\n");
    EXPECT_EQ(sysfs::read(tree.paths().sys + "/a"), "online");
}

TEST(LinuxSysfs, KeepsTheErrno) {
    const FakeTree tree;
    EXPECT_EQ(sysfs::read(tree.paths().sys + "/none").error(), ENOENT);
    EXPECT_EQ(sysfs::write(tree.paths().sys + "/none", "1").error(), ENOENT);
    EXPECT_EQ(sysfs::read(tree.paths().sys).error(), EISDIR);
    EXPECT_EQ(sysfs::write("/dev/full", "1").error(), ENOSPC);
}

TEST(LinuxSysfs, OnlyAnAbsenceThatTheKernelTellsIsOne) {
    const FakeTree tree;
    tree.file("sys/a", "");
    tree.link("sys/dangling", "nowhere");
    tree.link("sys/loop", "loop");
    EXPECT_EQ(sysfs::is_there(tree.paths().sys + "/a").value(), true);
    EXPECT_EQ(sysfs::is_there(tree.paths().sys + "/dangling").value(), true);
    EXPECT_EQ(sysfs::is_there(tree.paths().sys + "/none").value(), false);
    EXPECT_EQ(sysfs::is_there(tree.paths().sys + "/loop/driver").error(), ELOOP);
}

TEST(LinuxSysfs, NumbersAreTheWholeTextOrNone) {
    EXPECT_EQ(sysfs::to_number("0x4190000000"), 0x4190000000U);
    EXPECT_EQ(sysfs::to_number("1073741824"), 1073741824U);
    EXPECT_EQ(sysfs::to_number("8000000", 16), 0x8000000U);
    EXPECT_EQ(sysfs::to_number("18446744073709551615"), 18446744073709551615U);
    for (const char* bad :
         {"", " ", "-1", "0x", "1 2", "12k", "+3", "18446744073709551616", "0x10000000000000000"}) {
        EXPECT_EQ(sysfs::to_number(bad), std::nullopt) << bad;
    }
    EXPECT_EQ(sysfs::to_int("-1"), -1);
    EXPECT_EQ(sysfs::to_int("99999999999"), std::nullopt);
}

TEST(LinuxSysfs, NumberAfterWantsNothingButTheNumber) {
    EXPECT_EQ(sysfs::number_after("memory178", "memory"), 178U);
    EXPECT_EQ(sysfs::number_after("memory", "memory"), std::nullopt);
    EXPECT_EQ(sysfs::number_after("memory_failure", "memory"), std::nullopt);
    EXPECT_EQ(sysfs::number_after("mem1", "memory"), std::nullopt);
}

TEST(LinuxSysfs, ListsAreRangesAndNumbers) {
    EXPECT_THAT(sysfs::to_list("0-2,7"), ElementsAre(0, 1, 2, 7));
    EXPECT_THAT(sysfs::to_list("1"), ElementsAre(1));
    EXPECT_THAT(sysfs::to_list(""), IsEmpty());
    EXPECT_THAT(sysfs::to_list("3,x,4"), ElementsAre(3));
    EXPECT_THAT(sysfs::to_list("0-2147483647"), IsEmpty());
    EXPECT_THAT(sysfs::to_list("2147483647"), ElementsAre(2147483647));
    EXPECT_THAT(sysfs::to_list("-1"), IsEmpty());
    EXPECT_THAT(sysfs::to_list("5-3"), IsEmpty());
    EXPECT_THAT(sysfs::to_list(",,,"), IsEmpty());
}

TEST(LinuxSysfs, LinkNameIsTheLastPartOfTheTarget) {
    const FakeTree tree;
    tree.link("sys/driver", "../../bus/dax/drivers/kmem");
    tree.link("sys/short", "kmem");
    tree.file("sys/file", "");
    EXPECT_EQ(sysfs::link_name(tree.paths().sys + "/driver"), "kmem");
    EXPECT_EQ(sysfs::link_name(tree.paths().sys + "/short"), "kmem");
    EXPECT_EQ(sysfs::link_name(tree.paths().sys + "/file"), std::nullopt);
}

TEST(LinuxSysfs, AMovedDescriptorIsClosedOnce) {
    sysfs::Fd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int number = first.get();
    sysfs::Fd second(std::move(first));
    EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): what is asked for
    second = sysfs::Fd{};
    EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace cxlmemd
