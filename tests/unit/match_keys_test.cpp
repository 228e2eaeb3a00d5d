// SPDX-License-Identifier: LGPL-2.1-or-later
// What every key of [rule.match] has to do, asked of the table: a new row is tried without a line here,
// unless its entries are of a new type.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/coverage.h"
#include "policy/match_keys.h"
#include "policy/match_words.h"
#include "policy/rule_index.h"
#include "tests/unit/compile_helpers.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::policy_of;
using test::TopologyBuilder;

// One hmem device of which everything is known, outside of all CXL windows.
Topology known_machine() {
    TopologyBuilder builder;
    DaxDevice& device = builder.dax("dax0.0", 100, "....");
    device.kind = DaxKind::hmem;
    Topology out = builder.build();
    out.host = {"db7.example", "0123abcd", "kvm", "6.12.95", "A vendor", "A product"};
    return out;
}

// An entry that nothing here fits.
Glob never(const std::vector<Glob>*, const auto&) {
    return {"nothing-is-called-so"};
}
Compare never(const std::vector<Compare>*, const auto& row) {
    return {Comparison::equal, possible(row.quantity).high};
}
DaxKind never(const std::vector<DaxKind>*, const auto&) {
    return DaxKind::pmem;
}
std::uint64_t never(const std::vector<std::uint64_t>*, const auto&) {
    return 0xdead;
}
NodeId never(const std::vector<NodeId>*, const auto&) {
    return NodeId{1023};
}
int never(const std::vector<int>*, const auto&) {
    return 65535;
}
Backing never(const std::vector<Backing>*, const auto&) {
    return Backing::cxl;
}
std::pair<PhysAddr, PhysAddr> never(const std::vector<std::pair<PhysAddr, PhysAddr>>*, const auto&) {
    return {PhysAddr{0x1000}, PhysAddr{0x1fff}};
}
std::string never(const std::vector<std::string>*, const auto& row) {
    for (const char* word : {"< 1", "container", "ffffffff-ffff-ffff-ffff-ffffffffffff"}) {
        if (const auto parsed = row.read(row.name, {{}, std::string{word}})) return *parsed;
    }
    ADD_FAILURE() << row.name << " takes no word that is known here";
    return {};
}

template <class Row>
Match impossible(const Row& row) {
    Match match;
    auto& entries = match.*row.entries;
    entries = {never(&entries, row)};
    return match;
}

TEST(MatchTable, AKeyWithAValueThatNothingHasMakesItsRuleNotMatch) {
    const Topology machine = known_machine();
    const Facts known = facts_of(machine, machine.dax_devices.front());
    const Topology bare;
    Facts unknown;
    DaxDevice mute;
    mute.id.name = "dax1.0";
    unknown.device = &mute;
    unknown.machine = &bare.host;
    EXPECT_EQ(first_failing(known, Match{}), std::nullopt);
    keys::each([&](const auto& row, MatchKey key) {
        const Match match = impossible(row);
        EXPECT_EQ(first_failing(known, match), key) << row.name;
        EXPECT_EQ(first_failing(unknown, match), key) << row.name;
        EXPECT_EQ(to_string(key), row.name);
        EXPECT_NE(wanted(key, match), "") << row.name;
        EXPECT_EQ(wanted(key, Match{}), "") << row.name;
        EXPECT_NE(seen(key, known), "") << row.name;
        EXPECT_NE(seen(key, unknown), "") << row.name;
    });
}

TEST(MatchTable, TheIndexAnswersAsTheRulesThemselvesDo) {
    const Topology machine = known_machine();
    const Facts known = facts_of(machine, machine.dax_devices.front());
    keys::each([&](const auto& row, MatchKey) {
        Policy policy;
        policy.rules.resize(2);
        policy.rules[0].match = impossible(row);
        RuleIndex index{policy};
        EXPECT_EQ(index.find(known), &policy.rules[1]) << row.name;
    });
}

TEST(MatchTable, EveryKeyTakesPartInCoverage) {
    keys::each([&](const auto& row, MatchKey) {
        const Match match = impossible(row);
        EXPECT_TRUE(covers(Match{}, match)) << row.name;
        EXPECT_TRUE(covers(match, match)) << row.name;
        EXPECT_FALSE(covers(match, Match{})) << row.name;
        keys::each([&](const auto& other, MatchKey) {
            if (row.name == other.name) return;
            EXPECT_FALSE(covers(match, impossible(other))) << row.name;
        });
    });
}

TEST(MatchTable, WhatIsShownOfAKeyIsHowItIsWritten) {
    keys::each([&](const auto& row, MatchKey key) {
        const Match match = impossible(row);
        const std::string words = wanted(key, match);
        const bool is_number = words.find_first_not_of("0123456789") == std::string::npos;
        const std::string text = "[[rule]]\nname = \"r\"\n[rule.match]\n" + std::string{row.name} + " = " +
                                 (is_number ? words : "\"" + words + "\"") +
                                 "\n[rule.memory]\nzone = \"movable\"\n";
        EXPECT_EQ(policy_of(text).rules.at(0).match, match) << text;
    });
}

}  // namespace
}  // namespace cxlmemd
