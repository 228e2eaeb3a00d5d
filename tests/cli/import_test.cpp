// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string notes_of(const Imported& imported) {
    std::string out;
    for (const auto& note : imported.notes) out += note + "\n";
    for (const auto& rule : imported.rules) {
        for (const auto& note : rule.notes) out += note + "\n";
    }
    return out;
}

// The way of 40-redhat.rules: another state on bare metal than in a virtual machine.
constexpr const char* by_virtualization = R"(SUBSYSTEM!="memory", GOTO="out"
ACTION!="add", GOTO="out"
CONST{arch}=="s390*", GOTO="out"
ENV{.state}="online"
CONST{virt}=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="$env{.state}"
LABEL="out"
)";

TEST(ImportUdev, TellsBareMetalFromVirtualMachines) {
    const Imported found = import_text("/lib/udev/rules.d/40-vendor.rules", by_virtualization);
    ASSERT_THAT(found.rules, SizeIs(2));
    EXPECT_EQ(found.rules[0].name, "40-vendor-metal");
    EXPECT_EQ(found.rules[0].match, R"(kind = ["cxl-ram", "hmem"], virtualization = "no")");
    EXPECT_THAT(found.rules[0].memory, HasSubstr(R"(zone = "movable", on_conflict = "keep")"));
    EXPECT_THAT(found.rules[1].match, HasSubstr(R"(virtualization = "yes")"));
    EXPECT_THAT(found.rules[1].memory, HasSubstr(R"(zone = "kernel")"));
    EXPECT_THAT(notes_of(found), HasSubstr("s390*"));
    EXPECT_THAT(notes_of(found), HasSubstr("ln -s /dev/null /etc/udev/rules.d/40-vendor.rules"));
}

TEST(ImportUdev, KnowsTheOlderWayToAskForVirtualization) {
    const Imported found = import_text("a.rules", R"(SUBSYSTEM!="memory", ACTION!="add", GOTO="out"
PROGRAM="/bin/uname -p", RESULT=="s390*", GOTO="out"
ENV{.state}="online"
PROGRAM="/bin/systemd-detect-virt", RESULT=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="$env{.state}"
LABEL="out"
)");
    ASSERT_THAT(found.rules, SizeIs(2));
    EXPECT_THAT(found.rules[0].memory, HasSubstr("movable"));
    EXPECT_THAT(found.rules[1].memory, HasSubstr("kernel"));
}

TEST(ImportUdev, IsOneRuleWhereTheMachineDoesNotMatter) {
    for (
        const char* text :
        {R"(ACTION=="add", SUBSYSTEM=="memory", ATTR{state}="online_movable")",
         R"(ACTION=="add|change", SUBSYSTEM=="memory", KERNEL=="memory*", TEST=="state", ATTR{state}="online_movable")",
         R"(ACTION=="add", SUBSYSTEM=="memory", RUN+="/bin/sh -c 'echo online_movable > /sys$devpath/state'")",
         "ACTION==\"add\", \\\n  SUBSYSTEM==\"memory\", ATTR{state}=\"online_movable\"\n"}) {
        const Imported found = import_text("a.rules", text);
        ASSERT_THAT(found.rules, SizeIs(1)) << text;
        EXPECT_EQ(found.rules[0].match, volatile_kinds);
        EXPECT_EQ(found.rules[0].memory, online_in("movable"));
    }
}

TEST(ImportUdev, SaysWhatTheWordOnlineLeavesOpen) {
    const Imported found =
        import_text("a.rules", R"(SUBSYSTEM=="memory", ACTION=="add", ATTR{state}="online")");
    ASSERT_THAT(found.rules, SizeIs(1));
    EXPECT_THAT(notes_of(found), HasSubstr("leaves the zone to the kernel"));
}

TEST(ImportUdev, LeavesOutWhatDependsOnSomethingUnknownAndNamesIt) {
    const Imported found =
        import_text("a.rules", R"(SUBSYSTEM=="memory", ATTR{phys_device}=="3", ATTR{state}="online"
SUBSYSTEM=="memory", CONST{virt}=="kvm", ATTR{state}="online_kernel"
SUBSYSTEM=="memory", ATTR{state}="online_movable"
)");
    ASSERT_THAT(found.rules, SizeIs(1));
    EXPECT_THAT(found.rules[0].memory, HasSubstr("movable"));
    EXPECT_THAT(notes_of(found), HasSubstr(R"(Line 1 is left out: it depends on ATTR{phys_device}=="3")"));
    EXPECT_THAT(notes_of(found), HasSubstr("Line 2 is left out"));
}

TEST(ImportUdev, FindsNothingWhereThereIsNothing) {
    for (const char* text :
         {"", "# SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n",
          R"(SUBSYSTEM=="memory", ACTION=="online", PROGRAM="/usr/sbin/kdump-config try-reload")",
          R"(SUBSYSTEM=="cpu", ACTION=="add", ATTR{online}="1")",
          R"(SUBSYSTEM=="memory", ACTION=="remove", ATTR{state}="online")",
          R"(SUBSYSTEM=="memory", ATTR{state}="offline")", "GOTO=\"x\"\nLABEL=\"x\"\n"}) {
        EXPECT_THAT(import_text("a.rules", text).rules, IsEmpty()) << text;
    }
}

TEST(ImportUdev, BearsLinesThatAreNone) {
    for (const char* text :
         {"SUBSYSTEM", "=\"\"", "ATTR{state", "A=\"", "A=\"\\\"", "\\", "A{}=e\"x\"", "\xff=\"x\"", "{\n}"}) {
        EXPECT_THAT(import_text("a.rules", text).rules, IsEmpty()) << text;
    }
    EXPECT_THAT(notes_of(import_text("a.rules", "ATTR{state}=online\n")),
                HasSubstr("Line 1 is not understood"));
}

TEST(ImportTmpfiles, ReadsWhatTheKernelIsTold) {
    const char* text = "w /sys/devices/system/memory/auto_online_blocks - - - - online_movable\n";
    const Imported found = import_text("memory.conf", text);
    ASSERT_THAT(found.rules, SizeIs(1));
    EXPECT_EQ(found.rules[0].memory, online_in("movable"));
    EXPECT_THAT(
        import_text("memory.conf", "w /sys/devices/system/memory/auto_online_blocks - - - - offline").rules,
        IsEmpty());
}

constexpr const char* one_section = R"([reconfigure-device Foo]
nvdimm.uuid = 48d8e42c-a2f0-4312-9e70-a837faafe862
MODE = system-ram
online = true
movable = false   # in the kernel's zones
)";

TEST(ImportDaxctl, MakesARuleForTheNamespace) {
    const Imported found = import_text("/etc/daxctl.conf.d/a.conf", one_section);
    ASSERT_THAT(found.rules, SizeIs(1));
    EXPECT_EQ(found.rules[0].name, "Foo");
    EXPECT_EQ(found.rules[0].match, "nvdimm_uuid = \"48d8e42c-a2f0-4312-9e70-a837faafe862\"");
    EXPECT_EQ(found.rules[0].memory, online_in("kernel"));
    EXPECT_TRUE(found.rules[0].is_ready);
}

TEST(ImportDaxctl, MakesNoRuleThatIsWiderOfASectionWithoutAUuid) {
    for (const char* line :
         {"", "nvdimm.uuid = x\n", "nvdimm.uuid = 48d8e42c-a2f0-4312-9e70-a837faafe86g\n"}) {
        const std::string text = std::string{"[reconfigure-device Foo]\nmode = system-ram\n"} + line;
        const Imported found = import_text("a.conf", text);
        EXPECT_FALSE(found.rules.at(0).is_ready) << line;
        EXPECT_THAT(policy_text("a.conf", found), Not(HasSubstr("\n[[rule]]")));
        EXPECT_THAT(policy_text("a.conf", found), HasSubstr("\n#[[rule]]\n#name = \"Foo\"\n"));
    }
}

TEST(ImportDaxctl, HasDaxctlsDefaults) {
    const auto memory = [](const std::string& lines) {
        return import_text("daxctl.conf", "[reconfigure-device a]\nnvdimm.uuid=x\n" + lines)
            .rules.at(0)
            .memory;
    };
    EXPECT_EQ(memory("mode=system-ram\n"), online_in("movable"));
    EXPECT_EQ(memory("mode=devdax\n"), R"(mode = "devdax")");
    EXPECT_THAT(memory("mode=system-ram\nonline=no\n"), HasSubstr(R"(amount = "none")"));
    EXPECT_EQ(memory("mode=fsdax\n"), R"(mode = "ignore")");
}

TEST(ImportDaxctl, NamesWhatItDoesNotKnow) {
    const Imported found =
        import_text("x.conf", std::string(one_section) + "colour = red\n[monitor]\nlog = syslog\nwhat\n");
    EXPECT_THAT(notes_of(found), HasSubstr("colour = red is left out"));
    EXPECT_THAT(notes_of(found), HasSubstr("Line 7: [monitor] is left out"));
    EXPECT_THAT(notes_of(found), HasSubstr("Line 9 is not understood: what"));
}

TEST(PolicyText, GivesEachRuleANameOfItsOwnAndEscapes) {
    Imported twice;
    twice.rules = {{"a\"b\n", "", online_in("movable"), {"x\x1b\n[[rule]]"}, true},
                   {"a\"b\n", "", online_in("movable"), {}, true}};
    const std::string text = policy_text("f", twice);
    EXPECT_THAT(text, HasSubstr("name = \"a\\\"b\\\\n\"\n"));
    EXPECT_THAT(text, HasSubstr("name = \"a\\\"b\\\\n-2\"\n"));
    EXPECT_THAT(text, HasSubstr("# x\\x1b\\n[[rule]]\n"));
}

}  // namespace
}  // namespace cxlmemctl
