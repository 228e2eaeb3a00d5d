// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command.h"

namespace cxlmemctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Parsed parse(std::vector<const char*> words) {
    words.insert(words.begin(), "cxlmemctl");
    return parse_args(static_cast<int>(words.size()), words.data());
}

TEST(Args, ReadsADeviceCommandWithItsOptions) {
    const auto parsed = parse({"online", "dax0.0", "--zone", "movable", "--amount=75%", "--timeout", "2min",
                               "--no-rollback", "--no-hold"});
    ASSERT_TRUE(parsed.args) << parsed.text;
    EXPECT_STREQ(parsed.args->command->name, "online");
    EXPECT_THAT(parsed.args->names, ElementsAre("dax0.0"));
    EXPECT_EQ(parsed.args->zone, "movable");
    EXPECT_EQ(parsed.args->amount, Amount{Percent{75}});
    EXPECT_EQ(parsed.args->timeout_usec, 120'000'000U);
    EXPECT_EQ(parsed.args->rollback, false);
    EXPECT_FALSE(parsed.args->hold);
}

TEST(Args, LeavesToTheDaemonWhatWasNotSaid) {
    const auto parsed = parse({"offline", "dax0.0", "dax1.0"});
    ASSERT_TRUE(parsed.args) << parsed.text;
    EXPECT_THAT(parsed.args->names, ElementsAre("dax0.0", "dax1.0"));
    EXPECT_FALSE(parsed.args->rollback);
    EXPECT_FALSE(parsed.args->timeout_usec);
    EXPECT_TRUE(parsed.args->hold);
    EXPECT_TRUE(parsed.args->destination.ask_password);
}

TEST(Args, TakesGlobalOptionsBeforeAndAfterTheCommand) {
    for (const auto& words :
         {std::vector<const char*>{"--json", "--bus", "session", "--no-ask-password", "status"},
          std::vector<const char*>{"status", "--json", "--bus", "session", "--no-ask-password"}}) {
        const auto parsed = parse(words);
        ASSERT_TRUE(parsed.args) << parsed.text;
        EXPECT_TRUE(parsed.args->json);
        EXPECT_EQ(parsed.args->destination.bus, "session");
        EXPECT_FALSE(parsed.args->destination.ask_password);
    }
}

TEST(Args, ReadsPlansOnRecordedMachines) {
    const auto parsed = parse({"plan", "--on", "a.toml", "b", "--policy", "p", "--against=q"});
    ASSERT_TRUE(parsed.args) << parsed.text;
    EXPECT_THAT(parsed.args->on, ElementsAre("a.toml", "b"));
    EXPECT_EQ(parsed.args->policy, "p");
    EXPECT_EQ(parsed.args->against, "q");
    EXPECT_TRUE(parsed.args->plans_on_records());
    EXPECT_FALSE(parse({"plan"}).args->plans_on_records());
}

TEST(Args, DoesNotTakeThisMachinesPolicyForAnotherHosts) {
    const auto parsed = parse({"plan", "--host", "web1", "--against", "q"});
    EXPECT_FALSE(parsed.args);
    EXPECT_EQ(parsed.code, Exit::usage);
    EXPECT_TRUE(parse({"plan", "--host", "web1"}).args);
    EXPECT_TRUE(parse({"plan", "--host", "web1", "--policy", "p"}).args);
}

TEST(Args, ReadsModeAsNameThenMode) {
    const auto parsed = parse({"mode", "dax0.0", "devdax"});
    ASSERT_TRUE(parsed.args) << parsed.text;
    EXPECT_THAT(parsed.args->names, ElementsAre("dax0.0"));
    EXPECT_EQ(parsed.args->mode, "devdax");
}

TEST(Args, ReadsJobAndNumberAsOneName) {
    EXPECT_THAT(parse({"show", "job", "3"}).args->names, ElementsAre("job 3"));
    EXPECT_THAT(parse({"cancel", "3"}).args->names, ElementsAre("3"));
    EXPECT_THAT(parse({"check", "job", "3"}).args->files, ElementsAre("job", "3"));
}

TEST(Args, KnowsTheKindsOfList) {
    EXPECT_EQ(parse({"list", "regions"}).args->kind, Kind::region);
    EXPECT_EQ(parse({"list"}).args->kind, std::nullopt);
    EXPECT_EQ(parse({"list", "cats"}).code, Exit::usage);
}

TEST(Args, AreWrongUsageWithAWordOnWhatIsWrong) {
    const std::vector<std::pair<std::vector<const char*>, const char*>> cases = {
        {{}, "cxlmemctl status"},
        {{"frob"}, "frob"},
        {{"status", "x"}, "x"},
        {{"online"}, "names"},
        {{"explain", "dax0.0", "dax1.0"}, "dax1.0"},
        {{"online", "dax0.0", "--zone", "purple"}, "purple"},
        {{"online", "dax0.0", "--amount", "3GB"}, "3GB"},
        {{"offline", "dax0.0", "--timeout", "soon"}, "soon"},
        {{"mode", "dax0.0"}, "mode"},
        {{"mode", "dax0.0", "fsdax"}, "fsdax"},
        {{"--host", "a@b", "--bus", "session", "status"}, "--bus"},
        {{"--host", "", "status"}, "--host"},
        {{"--host=", "status"}, "--host"},
        {{"-H", "", "status"}, "--host"},
        {{"--host", "root@", "status"}, "--host"},
        {{"--host", "@", "status"}, "--host"},
        {{"--host", "@host", "status"}, "--host"},
        {{"--bus", "", "status"}, "--bus"},
        {{"--bus=", "status"}, "--bus"},
    };
    for (const auto& [words, expected] : cases) {
        const auto parsed = parse(words);
        EXPECT_FALSE(parsed.args);
        EXPECT_EQ(parsed.code, Exit::usage);
        EXPECT_THAT(parsed.text, HasSubstr(expected));
    }
}

TEST(Args, RecordTakesNoNamesAndMayMakeSerialsUp) {
    const auto parsed = parse({"record"});
    ASSERT_TRUE(parsed.args) << parsed.text;
    EXPECT_STREQ(parsed.args->command->name, "record");
    EXPECT_FALSE(parsed.args->anonymise);
    EXPECT_TRUE(parse({"record", "--anonymise"}).args->anonymise);
    EXPECT_EQ(parse({"record", "dax0.0"}).code, Exit::usage);
    EXPECT_EQ(parse({"status", "--anonymise"}).code, Exit::usage);
}

TEST(Args, RemoveTakesALimitAndRollbackButNoHold) {
    const auto parsed = parse({"remove", "region0", "mem1", "--timeout", "2s", "--no-rollback"});
    ASSERT_TRUE(parsed.args) << parsed.text;
    EXPECT_STREQ(parsed.args->command->name, "remove");
    EXPECT_THAT(parsed.args->names, ElementsAre("region0", "mem1"));
    EXPECT_EQ(parsed.args->timeout_usec, 2'000'000U);
    EXPECT_EQ(parsed.args->rollback, false);
    EXPECT_EQ(parse({"remove", "region0", "--no-hold"}).code, Exit::usage);
    EXPECT_EQ(parse({"remove"}).code, Exit::usage);
}

TEST(Args, HelpAndVersionAreNoErrors) {
    EXPECT_EQ(parse({"--help"}).code, Exit::done);
    EXPECT_THAT(parse({"--help"}).text, HasSubstr("online"));
    EXPECT_THAT(parse({"online", "--help"}).text, HasSubstr("--zone"));
    EXPECT_THAT(parse({"--version"}).text, HasSubstr("cxlmemctl "));
}

}  // namespace
}  // namespace cxlmemctl
