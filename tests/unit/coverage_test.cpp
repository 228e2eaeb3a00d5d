// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using testing::ElementsAre;
using testing::Eq;

Match match(std::string_view keys) {
    const Compiled compiled = test::compile_text(test::in_match(keys));
    EXPECT_FALSE(has_errors(compiled.problems)) << keys;
    return compiled.policy.rules.at(0).match;
}

struct Pair {
    std::string_view behaviour;
    std::string_view earlier;
    std::string_view later;
    bool is_covered;
};

class Coverage : public testing::TestWithParam<Pair> {};

TEST_P(Coverage, Holds) {
    EXPECT_EQ(covers(match(GetParam().earlier), match(GetParam().later)), GetParam().is_covered);
}

const std::vector<Pair> pairs{
    {"EverythingCoversEverything", "", "", true},
    {"EverythingCoversAKind", "", "kind = \"hmem\"", true},
    {"AKindDoesNotCoverEverything", "kind = \"hmem\"", "", false},
    {"AllKindsCoverEverything", R"(kind = ["hmem", "pmem", "cxl-ram", "cxl-pmem"])", "", true},
    {"AListCoversItsPart", R"(kind = ["hmem", "pmem"])", "kind = \"pmem\"", true},
    {"APartDoesNotCoverTheList", "kind = \"pmem\"", R"(kind = ["hmem", "pmem"])", false},
    {"OrderOfAListDoesNotMatter", R"(kind = ["hmem", "pmem"])", R"(kind = ["pmem", "hmem"])", true},
    {"ADoubledEntryDoesNotMatter", "target_node = 1", "target_node = [1, 1]", true},
    {"FewerSerials", "memdev_serial = [1, 2, 3]", "memdev_serial = [3, 1]", true},
    {"OtherSerials", "memdev_serial = [1, 2]", "memdev_serial = [2, 3]", false},
    {"MoreKeysAreNarrower", "target_node = 1", "target_node = 1\nkind = \"hmem\"", true},
    {"FewerKeysAreWider", "target_node = 1\nkind = \"hmem\"", "target_node = 1", false},
    {"QosClasses", "qos_class = [0, 1]", "qos_class = 1", true},
    {"TheSameGlob", "region = \"region[01]*\"", "region = \"region[01]*\"", true},
    {"ALiteralThatTheGlobFits", "dax = \"dax?.[01]\"", "dax = \"dax0.1\"", true},
    {"ALiteralThatTheGlobDoesNotFit", "dax = \"dax?.[01]\"", "dax = \"dax0.2\"", false},
    {"APrefixCoversALongerPrefix", "dax = \"dax*\"", "dax = \"dax0.*\"", true},
    {"APrefixCoversAnyGlobThatBeginsWithIt", "dax = \"dax0.*\"", "dax = \"dax0.[12]\"", true},
    {"APrefixDoesNotCoverAShorterOne", "dax = \"dax0.*\"", "dax = \"dax*\"", false},
    {"AStarCoversAllGlobsOfItsKey", "region = \"*\"", "region = \"[ab]?\"", true},
    {"AStarNeedsTheFact", "region = \"*\"", "", false},
    {"EveryDeviceHasAName", "dax = \"*\"", "", true},
    {"EachGlobOfAListIsCovered", R"(dax = ["dax0.*", "dax1.*"])", R"(dax = ["dax1.0", "dax0.?"])", true},
    {"NotEachGlobOfAListIsCovered", "dax = \"dax0.*\"", R"(dax = ["dax0.0", "dax1.0"])", false},
    {"EscapedGlobsAreLeftAlone", R"(dax = "dax[*]")", R"(dax = "dax\\*")", false},
    {"ALargerMinimum", "size = \">= 16GiB\"", "size = \">= 32GiB\"", true},
    {"ASmallerMinimum", "size = \">= 32GiB\"", "size = \">= 16GiB\"", false},
    {"AboveIsTheNextAtLeast", "size = \">= 1025\"", "size = \"> 1KiB\"", true},
    {"AnExactSizeInRange", "size = \"< 1TiB\"", "size = \"16GiB\"", true},
    {"TwoRangesJoined", "size = [\"< 1GiB\", \">= 1GiB\"]", "", true},
    {"TwoRangesThatTouch", "read_latency = [\"<= 400ns\", \"> 400ns\"]", "read_latency = \">= 300ns\"", true},
    {"TwoRangesWithAGap", "read_latency = [\"< 400ns\", \"> 400ns\"]", "read_latency = \">= 300ns\"", false},
    {"AnyLatencyNeedsTheFact", "read_latency = \">= 1\"", "", false},
    {"ReadIsNotWrite", "read_latency = \"<= 400ns\"", "write_latency = \"<= 400ns\"", false},
    {"Bandwidths", "write_bandwidth = \">= 8GB/s\"", "write_bandwidth = \">= 16GB/s\"", true},
    {"Ways", "interleave_ways = \">= 2\"", "interleave_ways = [2, 4]", true},
    {"ARangeInside", "phys_range = \"0x1000-0x1fff\"", "phys_range = \"0x1000-0x17ff\"", true},
    {"ARangeThatSticksOut", "phys_range = \"0x1000-0x1fff\"", "phys_range = \"0x1000-0x2000\"", false},
    {"ARangeInOneOfTwo", R"(phys_range = ["0x0-0xfff", "0x2000-0x2fff"])", "phys_range = \"0x2000-0x20ff\"",
     true},
};
INSTANTIATE_TEST_SUITE_P(Of, Coverage, testing::ValuesIn(pairs),
                         [](const auto& tested) { return std::string{tested.param.behaviour}; });

TEST(CoveredBy, NamesTheFirstThatCovers) {
    const auto covered = covered_by({match("kind = \"hmem\""), match("target_node = 1"), match(""),
                                     match("target_node = 1\nkind = \"hmem\""), match("target_node = 2")});
    EXPECT_THAT(covered, ElementsAre(Eq(std::nullopt), Eq(std::nullopt), Eq(std::nullopt), Eq(0U), Eq(2U)));
}

TEST(CoveredBy, PassesOverRulesWithErrors) {
    EXPECT_THAT(covered_by({std::nullopt, match(""), std::nullopt}),
                ElementsAre(Eq(std::nullopt), Eq(std::nullopt), Eq(std::nullopt)));
}

// The work is bounded: hostile lists end in "not covered", in bounded time.
TEST(CoveredBy, GivesUpOnHostileListsQuietly) {
    Match hostile;
    for (int i = 0; i < 1000; ++i) hostile.dax.push_back(Glob{"*a*a*a*" + std::to_string(i)});
    std::vector<std::optional<Match>> matches;
    for (int i = 0; i < 300; ++i) {
        hostile.memdev_host = {Glob{"host" + std::to_string(i)}};
        Match literal = hostile;
        for (Glob& glob : literal.dax) glob.pattern = std::string(200, 'a') + std::to_string(i);
        matches.emplace_back(i % 2 == 0 ? hostile : literal);
    }
    EXPECT_EQ(covered_by(matches).size(), matches.size());
}

}  // namespace
}  // namespace cxlmemd
