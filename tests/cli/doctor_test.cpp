// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/doctor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "cli/doctor_checks.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Facts nobody() {
    return {tl::unexpected(std::string("no daemon")), tl::unexpected(std::string("no files"))};
}

HostFacts host_with(const std::string& command_line) {
    HostFacts host;
    host.command_line = command_line;
    return host;
}

const Answer& answer_of(const Report& report, std::string_view id) {
    for (const Answer& answer : report) {
        if (answer.row->id == id) return answer;
    }
    throw std::runtime_error("no row " + std::string(id));
}

Report of_host(HostFacts host) {
    return examine({tl::unexpected(std::string("no daemon")), std::move(host)});
}

Report of_daemon(json manager, Objects objects = {}) {
    return examine(
        {DaemonFacts{std::move(manager), std::move(objects)}, tl::unexpected(std::string("no files"))});
}

TEST(DoctorTable, HasOneCheckForEachRowAndNoOther) {
    std::multiset<std::string_view> checked;
    for (const auto& checks :
         {daemon_checks(), hardware_checks(), kernel_checks(), online_checks(), system_checks()}) {
        for (const Check& check : checks) checked.insert(check.id);
    }
    std::multiset<std::string_view> rows;
    for (const Row& row : doctor_rows()) rows.insert(row.id);
    EXPECT_EQ(checked, rows);
    EXPECT_EQ(std::set<std::string_view>(rows.begin(), rows.end()).size(), rows.size());
}

TEST(DoctorTable, IsWrittenAsThePageAndTheReportNeedIt) {
    for (const Row& row : doctor_rows()) {
        EXPECT_EQ(row.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string_view::npos) << row.id;
        EXPECT_TRUE(row.why.ends_with('.')) << row.id;
        EXPECT_FALSE(row.next.empty() || row.next.ends_with('.') || row.symptom.ends_with('.')) << row.id;
        EXPECT_EQ(doctor_row(row.id), &row);
    }
    EXPECT_EQ(doctor_row("nothing"), nullptr);
}

TEST(Doctor, CannotTellWhatNobodyTells) {
    const Report report = examine(nobody());
    for (const Answer& answer : report)
        EXPECT_EQ(answer.is_unknown(), answer.row->id != "daemon-unreachable") << answer.row->id;
}

TEST(Doctor, DoesNotEndWellWithNothingLookedAt) {
    Report report = examine(nobody());
    std::erase_if(report, [](const Answer& answer) { return answer.is_finding(); });
    EXPECT_EQ(exit_of_report(report), Exit::partial);
    EXPECT_EQ(exit_of_report({}), Exit::partial);
    Answer fine;
    fine.row = doctor_row("leaked");
    EXPECT_EQ(exit_of_report({fine}), Exit::done);
    report.push_back(fine);
    EXPECT_EQ(exit_of_report(report), Exit::partial);
    fine.seen = {"x"};
    report.push_back(fine);
    EXPECT_EQ(exit_of_report(report), Exit::failed);
}

TEST(Doctor, ShowsAConflictOfAKindThatItDoesNotKnow) {
    const json conflicts = {{{"kind", "tide"}, {"message", "the sea rises"}},
                            {{"kind", "leaked"}, {"message", "1 GiB"}}};
    const Report report = of_daemon({{"Conflicts", conflicts}, {"Mode", "enforce"}});
    EXPECT_THAT(answer_of(report, "other-conflict").seen, ElementsAre("tide: the sea rises"));
    EXPECT_THAT(answer_of(report, "leaked").seen, ElementsAre("1 GiB"));
    EXPECT_FALSE(answer_of(report, "tier").is_finding());
}

TEST(Doctor, BearsADaemonThatSaysNonsense) {
    Objects odd;
    for (const Kind kind : all_kinds) {
        odd.push_back(
            make_object(path_of(kind, "x"), kind, {{"Reason", 7}, {"Serial", "many"}, {"LastError", 7}}));
        odd.push_back(make_object(path_of(kind, "y"), kind, json()));
    }
    const Report report = of_daemon({{"Conflicts", "none"}, {"PolicyProblems", {1, 2}}}, odd);
    EXPECT_EQ(report.size(), doctor_rows().size());
}

TEST(Doctor, ReadsBootParametersAsTheKernelDoes) {
    const auto parameters = parameters_of("a=1 \"b c=2 3\" modprobe.black-list=x,y d -- e=5\n");
    std::vector<std::string> words;
    for (const auto& [name, value] : parameters) words.push_back(name + "|" + value);
    EXPECT_THAT(words, ElementsAre("a|1", "b c|2 3", "modprobe.black_list|x,y", "d|"));
}

TEST(Doctor, TakesTheLastOfTwoBootParameters) {
    const Report report = of_host(host_with("memhp_default_state=online memhp_default_state=offline"));
    EXPECT_FALSE(answer_of(report, "boot-default-state").is_finding());
}

TEST(Doctor, FindsBootParametersThatHideMemory) {
    for (const char* line : {"efi=nosoftreserve", "device_hmem.disable=1", "dax_hmem.region_idle=Y",
                             "efi_fake_mem=2G@4G:0x40000", "memmap=2G%0x140000000-1+0xefffffff"})
        EXPECT_TRUE(answer_of(of_host(host_with(line)), "boot-hmem").is_finding()) << line;
    for (const char* line : {"efi=debug", "device_hmem.disable=0", "memmap=2G$4G", "dax_hmem.region_idle=N"})
        EXPECT_FALSE(answer_of(of_host(host_with(line)), "boot-hmem").is_finding()) << line;
}

TEST(Doctor, FindsWhatForbidsAModule) {
    for (const char* line : {"modprobe.blacklist=cxl_pci,pcspkr", "module_blacklist=kmem"})
        EXPECT_TRUE(answer_of(of_host(host_with(line)), "module-blocked").is_finding()) << line;
    HostFacts host = host_with("");
    host.modprobe.files = {{"/x.conf", "# blacklist kmem\nblacklist dax-cxl # not here\nblacklist floppy\n"}};
    EXPECT_THAT(answer_of(of_host(host), "module-blocked").seen,
                ElementsAre("/x.conf:2: blacklist dax-cxl # not here"));
}

TEST(Doctor, KnowsTheKernelsDefaultUnderBothNames) {
    EXPECT_EQ(online_by_default("CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE=y\n"),
              "CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE=y");
    EXPECT_EQ(online_by_default("CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_MOVABLE=y\n"),
              "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_MOVABLE=y");
    EXPECT_EQ(online_by_default("# CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE is not set\n"
                                "CONFIG_MHP_DEFAULT_ONLINE_TYPE_OFFLINE=y\n"),
              "");
}

TEST(Doctor, ReadsSettingsLineByLine) {
    const DaemonSettings settings = settings_of(
        "# auto_online = \"leave\"\nauto_online='manage' # x\n[retry]\nlevel = "
        "\"error\"\n[log]\nlevel=\"warning\"\n");
    EXPECT_TRUE(settings.manages);
    EXPECT_EQ(settings.log_level, "warning");
    EXPECT_FALSE(settings_of("[a]\nauto_online = \"manage\"\nx = \n\xff\n=\n").manages);
}

TEST(Doctor, TellsAKdamondOfTheKernelsOwnFromOthers) {
    HostFacts host;
    host.kdamonds = std::vector<std::string>{"kdamond.0"};
    EXPECT_TRUE(answer_of(of_host(host), "kdamonds").is_finding());
    host.damon_stat = "Y\n";
    EXPECT_FALSE(answer_of(of_host(host), "kdamonds").is_finding());
    host.damon_stat = tl::unexpected(std::string("EACCES"));
    EXPECT_TRUE(answer_of(of_host(host), "kdamonds").is_unknown());
    host.damon_stat = "Y\n";
    host.kdamonds->push_back("kdamond.1");
    EXPECT_TRUE(answer_of(of_host(host), "kdamonds").is_finding());
}

TEST(Doctor, SaysThatAProgramMayBringMemoryOnline) {
    HostFacts host;
    host.udev.files = {
        {"/x.rules", "SUBSYSTEM==\"memory\", ACTION==\"add\", RUN+=\"/usr/local/sbin/grow %k\"\n"},
        {"/y.rules", "SUBSYSTEM==\"net\", RUN+=\"/usr/bin/x\"\n"}};
    const Answer answer = answer_of(of_host(host), "udev-online");
    ASSERT_EQ(answer.seen.size(), 1U);
    EXPECT_THAT(answer.seen.front(), HasSubstr("/x.rules: may bring memory online"));
    EXPECT_THAT(answer.next_step(), HasSubstr("see what the program in /x.rules does"));
}

TEST(Doctor, QuotesWhatIsPasted) {
    EXPECT_EQ(shell_word("/etc/x-1.rules"), "/etc/x-1.rules");
    EXPECT_EQ(shell_word("-rf"), "'-rf'");
    HostFacts host;
    host.udev.files = {
        {"/usr/lib/udev/rules.d/a;b's`.rules", "SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n"}};
    EXPECT_THAT(answer_of(of_host(host), "udev-online").next_step(),
                AllOf(HasSubstr("import '/usr/lib/udev/rules.d/a;b'\\''s`.rules' prints"),
                      HasSubstr("/etc/udev/rules.d/'a;b'\\''s`.rules'")));
    host.udev.files.front().path = "/etc/udev/rules.d/a.rules";
    EXPECT_THAT(answer_of(of_host(host), "udev-online").next_step(),
                HasSubstr("mv /etc/udev/rules.d/a.rules /etc/udev/rules.d/a.rules.off"));
}

TEST(Doctor, HoldsJournaldAndTheBusToTheirLastWord) {
    HostFacts host;
    host.journald.files = {{"/a", "Storage=none\nRateLimitBurst=10\n[Journal]\n"},
                           {"/b", "Storage=auto\nRateLimitIntervalSec=0\nSystemMaxUse=8M\n"}};
    host.bus.files = {
        {"/c", "<limit name=\"max_message_size\">1</limit><limit name=\"max_outgoing_bytes\"> 2 </limit>"},
        {"/d", "<limit name=\"max_message_size\">99999999</limit><limit"}};
    const Report report = of_host(host);
    EXPECT_THAT(answer_of(report, "journal-limits").seen, ElementsAre("/b:3: SystemMaxUse=8M"));
    EXPECT_THAT(answer_of(report, "bus-limits").seen, ElementsAre("/c: max_outgoing_bytes is 2 B"));
}

TEST(Doctor, FoldsItsTextWithAndWithoutColour) {
    const Report report = of_host(host_with("movable_node numa=off"));
    for (const bool colour : {false, true}) {
        const std::string text = report_text(report, 80, Paint(colour));
        std::size_t widest = 0;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = text.find('\n', at);
            widest = std::max(widest, width(text.substr(at, end - at)));
            at = end + 1;
        }
        EXPECT_LE(widest, 80U);
        EXPECT_EQ(text.find('\x1b') != std::string::npos, colour);
        EXPECT_THAT(text, HasSubstr("cannot tell"));
    }
}

TEST(Doctor, HasEachRowInOneListOfItsJson) {
    const json report = report_json(of_host(host_with("numa=off")), false);
    EXPECT_EQ(report["Findings"].size() + report["CannotTell"].size() + report["Fine"].size(),
              doctor_rows().size());
    EXPECT_EQ(report["Daemon"], false);
    EXPECT_THAT(report["Fine"], Contains("boot-movable-node"));
}

class HostFiles : public ::testing::Test {
 protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "doctor.XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root = name;
    }
    void TearDown() override { std::filesystem::remove_all(root); }
    void put(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    }
    std::filesystem::path root;
};

TEST_F(HostFiles, AnEarlierFolderMasksALaterOne) {
    put("etc/udev/rules.d/10-a.rules", "etc");
    put("usr/lib/udev/rules.d/10-a.rules", "lib");
    put("usr/lib/udev/rules.d/05-b.rules", "b");
    put("usr/lib/udev/rules.d/20-c.rules", "c");
    std::filesystem::create_symlink("/dev/null", root / "etc/udev/rules.d/20-c.rules");
    put("usr/lib/udev/rules.d/30-d.rules", "d");
    std::filesystem::create_symlink("nowhere", root / "etc/udev/rules.d/30-d.rules");
    std::vector<std::string> seen;
    for (const ConfigFile& file : read_host(root.string()).udev.files)
        if (!file.text.empty()) seen.push_back(file.path + "=" + file.text);
    EXPECT_THAT(seen, ElementsAre("/usr/lib/udev/rules.d/05-b.rules=b", "/etc/udev/rules.d/10-a.rules=etc"));
}

TEST_F(HostFiles, WhatCannotBeReadIsSaidWithItsErrno) {
    put("proc/x", "");
    std::filesystem::create_symlink("cmdline", root / "proc/cmdline");
    put("etc/tmpfiles.d/x", "");
    ASSERT_EQ(::mkfifo((root / "etc/tmpfiles.d/a.conf").c_str(), 0600), 0);
    std::filesystem::create_directories(root / "etc/daxctl.conf.d/b.conf");
    const HostFacts host = read_host(root.string());
    ASSERT_FALSE(host.command_line);
    EXPECT_THAT(host.command_line.error(), HasSubstr("(ELOOP)"));
    EXPECT_THAT(host.tmpfiles.unread, ElementsAre("/etc/tmpfiles.d/a.conf: is not a file"));
    EXPECT_THAT(host.daxctl.unread, ElementsAre("/etc/daxctl.conf.d/b.conf: is not a file"));
    EXPECT_TRUE(answer_of(of_host(host), "boot-numa").is_unknown());
    EXPECT_TRUE(answer_of(of_host(host), "tmpfiles-online").is_unknown());
}

TEST_F(HostFiles, AProfileOfTunedCannotNameAFileElsewhereOrItself) {
    put("etc/tuned/active_profile", "../x a\n");
    put("etc/tuned/a/tuned.conf", "[main]\ninclude=a, b\n");
    put("usr/lib/tuned/profiles/b/tuned.conf", "[main]\ninclude = gone\n");
    const HostFacts host = read_host(root.string());
    ASSERT_EQ(host.tuned.files.size(), 2U);
    EXPECT_EQ(host.tuned.files[1].path, "/usr/lib/tuned/profiles/b/tuned.conf");
    EXPECT_THAT(host.tuned.unread, ElementsAre("tuned profile gone: is not there"));
}

}  // namespace
}  // namespace cxlmemctl
