// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/settings.h"

#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using test::BadCase;
using testing::IsEmpty;

std::vector<std::string> settings_problems(std::string_view text) {
    return test::lines_of(compile_settings({"daemon.toml", std::string{text}}).problems);
}

Settings settings_of(std::string_view text) {
    const CompiledSettings compiled = compile_settings({"daemon.toml", std::string{text}});
    EXPECT_FALSE(has_errors(compiled.problems)) << testing::PrintToString(test::lines_of(compiled.problems));
    return compiled.settings;
}

TEST(Settings, AnEmptyFileGivesDefaults) {
    EXPECT_EQ(settings_of(""), Settings{});
    EXPECT_THAT(settings_problems(""), IsEmpty());
}

TEST(Settings, TakesEveryKey) {
    const Settings settings = settings_of(R"(auto_online = "manage"
auto_reload = true
max_movable_ratio = 3.5
demotion = "off"
[retry]
initial = "500ms"
max = "2min"
attempts = 3
[log]
level = "debug"
)");
    EXPECT_EQ(settings, (Settings{AutoOnlineHandling::manage, true, 3.5, DemotionWish::off,
                                  RetrySettings{500'000, 120'000'000, 3}, LogLevel::debug}));
}

TEST(Settings, TakesAWholeRatio) {
    EXPECT_EQ(settings_of("max_movable_ratio = 3").max_movable_ratio, 3.0);
}

TEST(Settings, NamesTheFileInItsProblems) {
    EXPECT_EQ(to_string(compile_settings({"/x/daemon.toml", "a = 1"}).problems.at(0)),
              "/x/daemon.toml:1:1: error: unknown key 'a' in daemon.toml");
}

class BadSettings : public testing::TestWithParam<BadCase> {};
TEST_P(BadSettings, IsSaidAtItsPlace) {
    EXPECT_EQ(settings_problems(GetParam().text), GetParam().problems);
}

const std::vector<BadCase> bad_settings{
    {"UnknownKey",
     "auto_onlin = \"leave\"",
     {"1:1: error: unknown key 'auto_onlin' in daemon.toml; did you mean 'auto_online'?"}},
    {"KeyOfATable",
     "level = \"info\"",
     {"1:1: error: unknown key 'level' in daemon.toml; it belongs in [log]"}},
    {"KeyAfterATable",
     "[log]\nlevel = \"info\"\nauto_online = \"leave\"",
     {"3:1: error: unknown key 'auto_online' in [log]; it belongs in daemon.toml"}},
    {"RuleInSettings",
     "[[rule]]\n",
     {"1:3: error: unknown key 'rule' in daemon.toml; it belongs in a policy file"}},
    {"AutoOnlineUnknown",
     "auto_online = \"offline\"",
     {"1:15: error: 'offline' is not an auto_online: manage or leave"}},
    {"AutoOnlineBoolean",
     "auto_online = true",
     {R"(1:15: error: auto_online takes "manage" or "leave", not a boolean)"}},
    {"AutoReloadNumber",
     "auto_reload = 1",
     {"1:15: error: auto_reload takes true or false without quotes, not an integer"}},
    {"RatioZero",
     "max_movable_ratio = 0",
     {"1:21: error: max_movable_ratio is a number above 0; leave it out for no limit"}},
    {"RatioNegative",
     "max_movable_ratio = -0.5",
     {"1:21: error: max_movable_ratio is a number above 0; leave it out for no limit"}},
    {"RatioNan",
     "max_movable_ratio = nan",
     {"1:21: error: max_movable_ratio is a number above 0; leave it out for no limit"}},
    {"RatioInfinite",
     "max_movable_ratio = inf",
     {"1:21: error: max_movable_ratio is a number above 0; leave it out for no limit"}},
    {"RatioAsText",
     "max_movable_ratio = \"3:1\"",
     {"1:21: error: max_movable_ratio takes a number such as 3.0, movable for each 1 of kernel, not a "
      "string"}},
    {"DemotionBoolean",
     "demotion = true",
     {R"(1:12: error: demotion takes "on", "off" or "leave", not a boolean)"}},
    {"DemotionUnquoted",
     "demotion = on",
     {"1:12: error: 'on' is not a number, true or false; anything else stands in quotes: \"on\""}},
    {"RetryNoTable", "retry = 3", {"1:9: error: retry takes one table, not an integer"}},
    {"RetryTwice",
     "[[retry]]\n",
     {"1:1: error: retry takes one table, not a list; write one pair of brackets around its name"}},
    {"PauseInteger",
     "[retry]\ninitial = 1",
     {R"(2:11: error: initial takes a time with its unit, such as "1s", not an integer)"}},
    {"PauseWithoutUnit",
     "[retry]\nmax = \"60\"",
     {R"(2:7: error: '60' has no unit; write ns, us, ms, s or min behind it, such as "60s")"}},
    {"PauseTooShort",
     "[retry]\ninitial = \"0s\"",
     {"2:11: error: '0s' is too short a pause; 1ms is the least"}},
    {"MaxShorterThanInitial",
     "[retry]\ninitial = \"10s\"\nmax = \"5s\"",
     {"3:7: error: max (5000ms) is shorter than initial (10000ms)"}},
    {"MaxShorterThanTheDefaultInitial",
     "[retry]\nmax = \"5ms\"",
     {"2:7: error: max (5ms) is shorter than initial (1000ms, the default)"}},
    {"InitialLongerThanTheDefaultMax",
     "[retry]\ninitial = \"2min\"",
     {"2:11: error: max (60000ms, the default) is shorter than initial (120000ms)"}},
    {"AttemptsNegative",
     "[retry]\nattempts = -1",
     {"2:12: error: -1 is out of range: attempts takes 0 to 1000"}},
    {"LevelUnknown",
     "log.level = \"warn\"",
     {"1:13: error: 'warn' is not a level: error, warning, notice, info or debug"}},
    {"NoToml", "auto_online", {"1:12: error: bad TOML in key-value pair: encountered end-of-file"}},
};
INSTANTIATE_TEST_SUITE_P(Settings, BadSettings, testing::ValuesIn(bad_settings), test::behaviour_of);

}  // namespace
}  // namespace cxlmemd
