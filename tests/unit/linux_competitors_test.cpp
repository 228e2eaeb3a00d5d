// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/competitors.h"

#include <gmock/gmock.h>

#include "backends/linux/udev_rules.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(LinuxCompetitors, FindsTheLineThatOnlinesMemory) {
    EXPECT_THAT(
        competitors_in_udev_rules("/r",
                                  "# SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n"
                                  "\n"
                                  "SUBSYSTEM==\"memory\", ACTION==\"add\", \\\n"
                                  "  TEST==\"state\", ATTR{state}!=\"online\", ATTR{state}=\"online\"\n"),
        ElementsAre(Competitor{"/r:3", "a udev rule", Zone::kernel}));
    EXPECT_THAT(competitors_in_udev_rules("/r",
                                          "SUBSYSTEM!=\"memory\", GOTO=\"end\"\n"
                                          "ATTR{state}==\"offline\", ATTR{state}=\"online_movable\"\n"
                                          "LABEL=\"end\"\n"),
                ElementsAre(Competitor{"/r:2", "a udev rule", Zone::movable}));
}

TEST(LinuxCompetitors, LeavesOthersAlone) {
    for (const char* innocent : {"", "SUBSYSTEM==\"memory\", ATTR{state}==\"online\", TAG+=\"systemd\"\n",
                                 "SUBSYSTEM==\"power_supply\", ATTR{state}=\"online\"\n",
                                 "SUBSYSTEM==\"memory\", ATTR{state}=\"offline\"\n"})
        EXPECT_THAT(competitors_in_udev_rules("/r", innocent), IsEmpty()) << innocent;
}

// The kind and zone of each line found, by its number.
std::vector<std::string> found_in(std::string_view text) {
    std::vector<std::string> out;
    for (const Competitor& each : competitors_in_udev_rules("", text))
        out.push_back(each.where.substr(1) + " " + std::string{to_string(each.kind)} + " " +
                      std::string{to_string(each.zone)});
    return out;
}

TEST(LinuxCompetitors, FollowsAVariableToTheZone) {
    EXPECT_THAT(found_in("SUBSYSTEM!=\"memory\", GOTO=\"out\"\n"
                         "ACTION!=\"add\", GOTO=\"out\"\n"
                         "ENV{.to}=\"online_movable\"\n"
                         "ATTR{state}==\"offline\", ATTR{state}=\"$env{.to}\"\n"
                         "LABEL=\"out\"\n"),
                ElementsAre("4 onlines movable"));
    // One that is set to both may be either, and one that is set elsewhere may be anything.
    EXPECT_THAT(
        found_in("ENV{.to}=\"online\"\n"
                 "PROGRAM=\"/usr/bin/systemd-detect-virt\", RESULT==\"none\", ENV{.to}=\"online_movable\"\n"
                 "SUBSYSTEM==\"memory\", ATTR{state}=\"%E{.to}\"\n"),
        ElementsAre("3 onlines none"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ATTR{state}=\"$env{ZONE}\"\n"),
                ElementsAre("1 onlines none"));
    EXPECT_THAT(found_in("ENV{.to}=\"offline\"\nSUBSYSTEM==\"memory\", ATTR{state}=\"$env{.to}\"\n"),
                IsEmpty());
}

TEST(LinuxCompetitors, ReadsTheSyntaxAsUdevDoes) {
    EXPECT_THAT(found_in("SUBSYSTEM == \"memory\" , ATTR{state} := \"online\"\n"),
                ElementsAre("1 onlines kernel"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\" ATTR{state} += e\"online_movable\"\n"),
                ElementsAre("1 onlines movable"));
    // A comment within a line that goes on, blanks before it, and no newline at the end.
    EXPECT_THAT(found_in("\nSUBSYSTEM==\"memory\", \\\n# why\n\tATTR{state}=\"online\""),
                ElementsAre("2 onlines kernel"));
    EXPECT_THAT(found_in("KERNEL==\"cpu*|memory[0-9]*\", ATTR{state}=\"online\"\n"),
                ElementsAre("1 onlines kernel"));
    EXPECT_THAT(found_in("DEVPATH==\"/devices/system/memory/*\", ATTR{state}=\"online\"\n"),
                ElementsAre("1 onlines kernel"));
    // udev refuses the line.
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ATTR{state}=online\n"), IsEmpty());
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ATTR{state}=\"online\n"), IsEmpty());
}

TEST(LinuxCompetitors, LeavesOutWhatAMemoryBlockDoesNotComeTo) {
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", GOTO=\"memory\"\n"
                         "GOTO=\"end\"\n"
                         "LABEL=\"memory\"\n"
                         "ATTR{state}=\"online\"\n"
                         "LABEL=\"end\"\n"),
                ElementsAre("4 onlines kernel"));
    EXPECT_THAT(found_in("SUBSYSTEM!=\"cpu\", GOTO=\"end\"\nATTR{state}=\"online\"\nLABEL=\"end\"\n"),
                IsEmpty());
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", TAG+=\"x\"\nKERNEL==\"dock.*\", ATTR{state}=\"online\"\n"),
                IsEmpty());
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ACTION==\"remove\", ATTR{state}=\"online\"\n"), IsEmpty());
    EXPECT_THAT(
        found_in("SUBSYSTEM==\"memory\", TAG+=\"x\"\nSUBSYSTEM==\"usb\", RUN+=\"/usr/bin/usb-online\"\n"),
        IsEmpty());
}

TEST(LinuxCompetitors, FindsCommandsAndPrograms) {
    EXPECT_THAT(found_in("ACTION==\"add\", SUBSYSTEM==\"memory\", RUN+=\"/bin/sh -c 'echo online > "
                         "/sys$devpath/state'\"\n"),
                ElementsAre("1 onlines kernel"));
    EXPECT_THAT(
        found_in("SUBSYSTEM==\"memory\", RUN{program}+=\"/bin/sh -c \\\"echo online_movable > x\\\"\"\n"),
        ElementsAre("1 onlines movable"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ACTION==\"add\", RUN+=\"/usr/local/sbin/new-memory\"\n"),
                ElementsAre("1 may-online none"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", IMPORT{program}=\"/usr/lib/udev/memory-id\"\n"),
                ElementsAre("1 may-online none"));
    EXPECT_THAT(
        found_in("SUBSYSTEM==\"memory\", IMPORT{builtin}=\"path_id\", RUN{builtin}+=\"kmod load x\"\n"),
        IsEmpty());
}

TEST(LinuxCompetitors, FindsWorkForEachBlock) {
    EXPECT_THAT(
        found_in(
            "SUBSYSTEM==\"memory\", ACTION==\"online\", PROGRAM=\"/usr/sbin/kdump-config try-reload\"\n"
            "SUBSYSTEM==\"memory\", ACTION==\"offline\", PROGRAM=\"/usr/sbin/kdump-config try-reload\"\n"),
        ElementsAre("1 crash-dump none", "2 crash-dump none"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ACTION==\"online\", GOTO=\"reload\"\n"
                         "GOTO=\"end\"\n"
                         "LABEL=\"reload\"\n"
                         "RUN+=\"/bin/sh -c '/usr/lib/udev/kdump-udev-throttler'\"\n"
                         "LABEL=\"end\"\n"),
                ElementsAre("4 crash-dump none"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"memory\", ACTION==\"online\", RUN+=\"/usr/bin/logger block\"\n"),
                ElementsAre("1 block-by-block none"));
}

TEST(LinuxCompetitors, FindsWritesOfAutoOnlineBlocks) {
    EXPECT_THAT(found_in("KERNEL==\"cpu0\", RUN+=\"/bin/sh -c 'echo online_movable > "
                         "/sys/devices/system/memory/auto_online_blocks'\"\n"),
                ElementsAre("1 onlines movable"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"x\", ATTR{[memory/]auto_online_blocks}=\"online\"\n"),
                ElementsAre("1 onlines kernel"));
    EXPECT_THAT(found_in("SUBSYSTEM==\"x\", ATTR{auto_online_blocks}=\"offline\"\n"), IsEmpty());
    EXPECT_THAT(
        competitors_in_tmpfiles("/t",
                                "# w /sys/devices/system/memory/auto_online_blocks - - - - online\n"
                                "w! /sys/devices/system/memory/auto_online_blocks - - - - offline\n"
                                "w+ /sys/devices/system/memory/auto_online_blocks\t- - - - online_movable\n"
                                "d /sys/devices/system/memory/auto_online_blocks - - - - online\n"),
        ElementsAre(Competitor{"/t:3", "a tmpfiles.d line that writes auto_online_blocks", Zone::movable}));
}

TEST(LinuxCompetitors, LooksIntoAllOfUdevsFolders) {
    const FakeTree tree;
    const std::string rule = "SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n";
    const std::vector<std::string> roots{"usr/lib", "usr/local/lib", "run", "etc"};
    Competitors competitors{tree.paths()};
    for (const std::string& root : roots) {  // each masks the ones before
        tree.file(root + "/udev/rules.d/40-memory.rules", rule);
        ASSERT_THAT(competitors.look(), SizeIs(1)) << root;
        EXPECT_THAT(competitors.look()[0].where,
                    ::testing::HasSubstr("/" + root + "/udev/rules.d/40-memory.rules:1"));
    }
    tree.file("usr/lib/tmpfiles.d/m.conf",
              "w /sys/devices/system/memory/auto_online_blocks - - - - online\n");
    EXPECT_THAT(competitors.look(), SizeIs(2));
}

TEST(LinuxCompetitors, AnEditInPlaceIsSeen) {
    const FakeTree tree;
    tree.file("etc/udev/rules.d/40-memory.rules", "# nothing yet\n");
    Competitors competitors{tree.paths()};
    ASSERT_THAT(competitors.look(), IsEmpty());
    tree.file("etc/udev/rules.d/40-memory.rules", "SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n");
    EXPECT_THAT(competitors.look(), SizeIs(1));
}

TEST(LinuxCompetitors, WhatCannotBeReadMayHoldAnything) {
    const FakeTree tree;
    tree.folder("etc/udev/rules.d/40-memory.rules");  // reading it fails with EISDIR, for root too
    Competitors competitors{tree.paths()};
    ASSERT_THAT(competitors.look(), SizeIs(1));
    EXPECT_EQ(competitors.look()[0].kind, CompetitorKind::may_online);
    EXPECT_EQ(competitors.look()[0].what, "a file of udev rules that cannot be read (EISDIR)");
    tree.remove("etc/udev/rules.d/40-memory.rules");
    EXPECT_THAT(competitors.look(), IsEmpty());
}

TEST(LinuxCompetitors, FindsDaxctlSections) {
    EXPECT_THAT(competitors_in_daxctl_conf("/d",
                                           "#[reconfigure-device x]\n[reconfigure-device unique]\nmode = "
                                           "system-ram\n"),
                ElementsAre(Competitor{"/d:2", "a daxctl configuration", Zone::none}));
}

TEST(LinuxCompetitors, AnEarlierFolderMasksAndAChangeIsSeen) {
    const FakeTree tree;
    const std::string rule = "SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n";
    Competitors competitors{tree.paths()};
    EXPECT_THAT(competitors.look(), IsEmpty());
    tree.file("usr/lib/udev/rules.d/40-memory.rules", rule);
    ASSERT_THAT(competitors.look(), SizeIs(1));
    EXPECT_EQ(competitors.look()[0].where, tree.paths().lib + "/udev/rules.d/40-memory.rules:1");
    tree.link("etc/udev/rules.d/40-memory.rules", "/dev/null");
    EXPECT_THAT(competitors.look(), IsEmpty());
}

}  // namespace
}  // namespace cxlmemd
