#include "backends/linux/competitors.h"

#include <gmock/gmock.h>

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
