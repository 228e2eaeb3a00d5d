// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using test::BadCase;
using test::in_drain;
using test::in_memory;
using test::policy_of;
using test::problems_of;
using testing::ElementsAre;

Goal goal_of(const std::string& text) {
    const Policy policy = policy_of(text);
    return policy.rules.empty() ? Goal{} : policy.rules.front().goal;
}

TEST(CompileRule, RemembersNameDescriptionAndPlace) {
    const Policy policy = policy_of(
        "# head\n\n[[rule]]\nname = \"é 1\"\ndescription = \"two\\nlines\"\nmemory.mode = \"ignore\"\n");
    ASSERT_EQ(policy.rules.size(), 1U);
    EXPECT_EQ(policy.rules[0].name, "é 1");
    EXPECT_EQ(policy.rules[0].description, "two\nlines");
    EXPECT_EQ(policy.rules[0].place, (Place{"a.toml", 3, 1}));
}

TEST(CompileRule, GivesDefaultsForWhatIsNotSaid) {
    const Goal goal = goal_of(in_memory("drift = \"report\""));
    EXPECT_EQ(goal, Goal{});
    EXPECT_EQ(goal.mode, ModeWish::system_ram);
    EXPECT_EQ(goal.zone, ZoneWish::movable);
    EXPECT_EQ(goal.amount, Amount{AmountAll{}});
}

TEST(CompileRule, TakesEveryMode) {
    EXPECT_EQ(goal_of(in_memory("mode = \"system-ram\"")).mode, ModeWish::system_ram);
    EXPECT_EQ(goal_of(in_memory("mode = \"devdax\"")).mode, ModeWish::devdax);
    EXPECT_EQ(goal_of(in_memory("mode = \"famfs\"")).mode, ModeWish::famfs);
    EXPECT_EQ(goal_of(in_memory("mode = \"ignore\"")).mode, ModeWish::ignore);
}

TEST(CompileRule, TakesEveryZone) {
    EXPECT_EQ(goal_of(in_memory("zone = \"movable\"")).zone, ZoneWish::movable);
    EXPECT_EQ(goal_of(in_memory("zone = \"kernel\"")).zone, ZoneWish::kernel);
    EXPECT_EQ(goal_of(in_memory("zone = \"auto\"")).zone, ZoneWish::automatic);
}

TEST(CompileRule, TakesEveryFormOfAmount) {
    EXPECT_EQ(goal_of(in_memory("amount = \"all\"")).amount, Amount{AmountAll{}});
    EXPECT_EQ(goal_of(in_memory("amount = \"none\"")).amount, Amount{AmountNone{}});
    EXPECT_EQ(goal_of(in_memory("amount = \"75%\"")).amount, Amount{AmountPercent{75}});
    EXPECT_EQ(goal_of(in_memory("amount = \"96GiB\"")).amount, (Amount{AmountBytes{Bytes{96ULL << 30}}}));
}

TEST(CompileRule, TakesNodesConflictAndDrift) {
    const Goal goal =
        goal_of(in_memory("require_node = [1, 2]\non_conflict = \"keep\"\ndrift = \"enforce\""));
    EXPECT_THAT(goal.require_node, ElementsAre(NodeId{1}, NodeId{2}));
    EXPECT_EQ(goal.on_conflict, OnConflict::keep);
    EXPECT_EQ(goal.drift, Drift::enforce);
}

TEST(CompileRule, TakesTheWayOnline) {
    EXPECT_EQ(goal_of(in_memory("zone = \"movable\"")).online_by, OnlineBy::blocks);
    EXPECT_EQ(goal_of(in_memory("online_by = \"blocks\"")).online_by, OnlineBy::blocks);
    EXPECT_EQ(goal_of(in_memory("online_by = \"state\"")).online_by, OnlineBy::state);
    EXPECT_THAT(problems_of(in_memory("online_by = \"state\"\namount = \"100%\"")), testing::IsEmpty());
}

TEST(CompileRule, TakesDrainSettings) {
    const DrainSettings drain = goal_of(in_drain("timeout = \"2min\"\nretries = 0\nrollback = false")).drain;
    EXPECT_EQ(drain, (DrainSettings{120'000'000, 0, false}));
}

TEST(CompileRule, TakesADrainWithoutLimit) {
    EXPECT_EQ(goal_of(in_drain("timeout = \"0s\"")).drain.timeout_usec, 0U);
    EXPECT_EQ(goal_of(in_drain("timeout = \"infinity\"")).drain.timeout_usec, 0U);
}

TEST(CompileRule, AllowsRequireNodeWithDevdax) {
    EXPECT_THAT(problems_of(in_memory("mode = \"devdax\"\nrequire_node = 1")), testing::IsEmpty());
}

class BadMemory : public testing::TestWithParam<BadCase> {};
TEST_P(BadMemory, IsSaidAtItsPlace) {
    EXPECT_EQ(problems_of(in_memory(GetParam().text)), GetParam().problems);
}

const std::vector<BadCase> bad_memories{
    {"TableEmpty",
     "",
     {R"(4:1: error: [rule.memory] is empty; write mode = "system-ram", "devdax", "famfs" or "ignore")"}},
    {"UnknownKey",
     "zon = \"movable\"",
     {"5:1: error: unknown key 'zon' in [rule.memory]; did you mean 'zone'?"}},
    {"KeyOfDrain",
     "mode = \"ignore\"\ntimeout = \"5s\"",
     {"6:1: error: unknown key 'timeout' in [rule.memory]; it belongs in [rule.drain]"}},
    {"ModeUnknown",
     "mode = \"systemram\"",
     {"5:8: error: 'systemram' is not a mode: system-ram, devdax, famfs or ignore"}},
    {"ModeUnknownIsNotAlsoBlamedOnZone",
     "mode = \"x\"\nzone = \"kernel\"",
     {"5:8: error: 'x' is not a mode: system-ram, devdax, famfs or ignore"}},
    {"ZoneUnknown", "zone = \"movabel\"", {"5:8: error: 'movabel' is not a zone: movable, kernel or auto"}},
    {"ZoneInAnotherCase",
     "zone = \"Movable\"",
     {"5:8: error: 'Movable' is not a zone: movable, kernel or auto"}},
    {"ZoneOfWrongType",
     "zone = true",
     {R"(5:8: error: zone takes "movable", "kernel" or "auto", not a boolean)"}},
    {"ZoneList",
     "zone = [\"movable\"]",
     {R"(5:8: error: zone takes "movable", "kernel" or "auto", not a list)"}},
    {"ZoneUnquoted",
     "zone = movable",
     {"5:8: error: 'movable' is not a number, true or false; anything else stands in quotes: \"movable\""}},
    {"ZoneWithDevdax",
     "mode = \"devdax\"\nzone = \"movable\"",
     {R"(6:1: error: zone goes with mode = "system-ram" only, not with "devdax")"}},
    {"AmountAndConflictWithIgnore",
     "amount = \"all\"\nmode = \"ignore\"\non_conflict = \"keep\"",
     {R"(5:1: error: amount goes with mode = "system-ram" only, not with "ignore")",
      R"(7:1: error: on_conflict goes with mode = "system-ram" only, not with "ignore")"}},
    {"OnlineByUnknown", "online_by = \"dax\"", {"5:13: error: 'dax' is not an online_by: blocks or state"}},
    {"OnlineByWithDevdax",
     "mode = \"devdax\"\nonline_by = \"state\"",
     {R"(6:1: error: online_by goes with mode = "system-ram" only, not with "devdax")"}},
    {"OnlineByStateOfAPart",
     "online_by = \"state\"\namount = \"75%\"",
     {"5:1: warning: online_by = \"state\" takes whole devices: with amount = \"75%\" memory goes block by "
      "block"}},
    {"WhatDoesNothingWithIgnore",
     "mode = \"ignore\"\nrequire_node = 1\ndrift = \"report\"",
     {"6:1: warning: require_node does nothing with mode = \"ignore\"",
      "7:1: warning: drift does nothing with mode = \"ignore\""}},
    {"AmountWithoutUnit", "amount = \"75\"", {"5:10: error: '75' has no unit; write '75%' or '75GiB'"}},
    {"AmountInteger",
     "amount = 75",
     {R"(5:10: error: amount takes "all", "none", a percentage such as "75%" or a size such as "96GiB", )"
      "not an integer"}},
    {"AmountOfMoreThanAll",
     "amount = \"101%\"",
     {"5:10: error: '101%' is not an amount; percentages are whole numbers from 0% to 100%"}},
    {"AmountOfAFraction",
     "amount = \"12.5%\"",
     {"5:10: error: '12.5%' is not an amount; percentages are whole numbers from 0% to 100%"}},
    {"AmountNegative",
     "amount = \"-5%\"",
     {"5:10: error: '-5%' is not an amount; percentages are whole numbers from 0% to 100%"}},
    {"AmountWord",
     "amount = \"half\"",
     {R"(5:10: error: 'half' is not an amount: "all", "none", "75%" or "96GiB")"}},
    {"AmountInDecimalUnits",
     "amount = \"96GB\"",
     {"5:10: error: '96GB' is not a size; did you mean '96GiB'?"}},
    {"AmountUnquoted",
     "amount = 75%",
     {"5:12: error: '75%' is not a number, true or false; anything else stands in quotes: \"75%\""}},
    {"RequireNodeNegative",
     "require_node = [0, -1]",
     {"5:20: error: -1 is out of range: require_node takes 0 to 1023"}},
    {"RequireNodeEmpty",
     "require_node = []",
     {"5:16: error: an empty list fits nothing; leave require_node out to allow any"}},
    {"ConflictUnknown",
     "on_conflict = \"re-zone\"",
     {"5:15: error: 're-zone' is not an on_conflict: rezone or keep"}},
    {"DriftUnknown", "drift = \"enforced\"", {"5:9: error: 'enforced' is not a drift: report or enforce"}},
};
INSTANTIATE_TEST_SUITE_P(Compile, BadMemory, testing::ValuesIn(bad_memories), test::behaviour_of);

class BadDrain : public testing::TestWithParam<BadCase> {};
TEST_P(BadDrain, IsSaidAtItsPlace) {
    EXPECT_EQ(problems_of(in_drain(GetParam().text)), GetParam().problems);
}

const std::vector<BadCase> bad_drains{
    {"UnknownKey",
     "retires = 1",
     {"5:1: error: unknown key 'retires' in [rule.drain]; did you mean 'retries'?"}},
    {"KeyOfDaemonToml",
     "attempts = 1",
     {"5:1: error: unknown key 'attempts' in [rule.drain]; it belongs in [retry] of daemon.toml"}},
    {"TimeoutWithoutUnit",
     "timeout = \"60\"",
     {R"(5:11: error: '60' has no unit; write ns, us, ms, s or min behind it, such as "60s")"}},
    {"TimeoutInteger",
     "timeout = 60",
     {R"(5:11: error: timeout takes a time with its unit, such as "60s", not an integer)"}},
    {"TimeoutInWords",
     "timeout = \"60 seconds\"",
     {"5:11: error: '60 seconds' is not a time; did you mean '60s'?"}},
    {"TimeoutInSystemdMinutes",
     "timeout = \"2m\"",
     {"5:11: error: '2m' is not a time; did you mean '2min'?"}},
    {"TimeoutOfTwoParts",
     "timeout = \"1min 30s\"",
     {R"(5:11: error: '1min 30s' is not a time; write one number and one unit, such as "60s")"}},
    {"TimeoutTooShort",
     "timeout = \"500ns\"",
     {"5:11: error: '500ns' is not a whole number of microseconds, the shortest unit here"}},
    {"TimeoutTooLong",
     "timeout = \"10081min\"",
     {"5:11: error: '10081min' is too long; a week, \"10080min\", is the limit"}},
    {"TimeoutNegative",
     "timeout = \"-1s\"",
     {R"(5:11: error: '-1s' is not a time; write a whole number and a unit, such as "60s")"}},
    {"RetriesNegative", "retries = -1", {"5:11: error: -1 is out of range: retries takes 0 to 1000"}},
    {"RetriesTooMany", "retries = 1001", {"5:11: error: 1001 is out of range: retries takes 0 to 1000"}},
    {"RollbackAsText",
     "rollback = \"yes\"",
     {"5:12: error: rollback takes true or false without quotes, not a string"}},
    {"RollbackUnquotedWord", "rollback = True", {"5:12: error: 'True' is written true in TOML"}},
};
INSTANTIATE_TEST_SUITE_P(Compile, BadDrain, testing::ValuesIn(bad_drains), test::behaviour_of);

class BadRule : public testing::TestWithParam<BadCase> {};
TEST_P(BadRule, IsSaidAtItsPlace) {
    EXPECT_EQ(problems_of(std::string{GetParam().text}), GetParam().problems);
}

const std::vector<BadCase> bad_rules{
    {"NameMissing",
     "\n[[rule]]\nmemory.mode = \"ignore\"",
     {"2:1: error: this rule has no name; add name = \"...\""}},
    {"NameEmpty", "[[rule]]\nname = \"\"\nmemory.mode = \"ignore\"", {"2:8: error: name is empty"}},
    {"NameOfWrongType",
     "[[rule]]\nname = 5\nmemory.mode = \"ignore\"",
     {"2:8: error: name takes a string, not an integer"}},
    {"NameWithControlCharacter",
     "[[rule]]\nname = \"a\\u0000b\"\nmemory.mode = \"ignore\"",
     {R"(2:8: error: 'a\x00b' has a control character in it, which name must not)"}},
    {"NameWithC1ControlCharacter",
     "[[rule]]\nname = \"a\\u009bb\"\nmemory.mode = \"ignore\"",
     {R"(2:8: error: 'a\x9bb' has a control character in it, which name must not)"}},
    {"DescriptionWithEscape",
     "[[rule]]\nname = \"r\"\ndescription = \"\\u001b[1m\"\nmemory.mode = \"ignore\"",
     {"3:15: error: description has a control character in it"}},
    {"MemoryMissing",
     "[[rule]]\nname = \"r\"",
     {"1:1: error: rule 'r' does nothing; add [rule.memory] (mode = \"ignore\" leaves a device alone)"}},
    {"MemoryKeysInTheRule",
     "[[rule]]\nname = \"r\"\nzone = \"kernel\"",
     {"1:1: error: rule 'r' does nothing; add [rule.memory] (mode = \"ignore\" leaves a device alone)",
      "3:1: error: unknown key 'zone' in [[rule]]; it belongs in [rule.memory]"}},
    {"MemoryAsText",
     "[[rule]]\nname = \"r\"\nmemory = \"all\"",
     {"3:10: error: memory takes one table, not a string"}},
    {"MemoryAsArrayOfTables",
     "[[rule]]\nname = \"r\"\n[[rule.memory]]\nmode = \"ignore\"",
     {"3:1: error: memory takes one table, not a list; write one pair of brackets around its name"}},
    {"UnknownTable",
     "[[rule]]\nname = \"r\"\nmemory.mode = \"ignore\"\n[rule.mach]\nkind = \"hmem\"",
     {"4:7: error: unknown key 'mach' in [[rule]]; did you mean 'match'?"}},
    {"OneTableInsteadOfAList",
     "[rule]\nname = \"r\"\nmemory.mode = \"ignore\"",
     {"1:1: error: [rule] is one table; write [[rule]]"}},
    {"OneTableIsStillChecked",
     "[rule]\nname = \"r\"\nmemory.zone = \"x\"",
     {"1:1: error: [rule] is one table; write [[rule]]",
      "3:15: error: 'x' is not a zone: movable, kernel or auto"}},
    {"RuleAsNumber", "rule = 5", {"1:1: error: rule takes tables, each under [[rule]], not an integer"}},
    {"RuleAsListOfNumbers",
     "rule = [5]",
     {"1:9: error: rule takes tables, each under [[rule]], not an integer"}},
    {"SeveralBadRules",
     "[[rule]]\nname = \"a\"\n[[rule]]\nmemory.mode = \"x\"",
     {"1:1: error: rule 'a' does nothing; add [rule.memory] (mode = \"ignore\" leaves a device alone)",
      "3:1: error: this rule has no name; add name = \"...\"",
      "4:15: error: 'x' is not a mode: system-ram, devdax, famfs or ignore"}},
};
INSTANTIATE_TEST_SUITE_P(Compile, BadRule, testing::ValuesIn(bad_rules), test::behaviour_of);

}  // namespace
}  // namespace cxlmemd
