// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::goal;
using test::one_device;
using test::TopologyBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Rule rule(std::string name, Goal wish = {}, Match match = {}) {
    Rule out;
    out.name = std::move(name);
    out.place = {"/etc/cxlmemd/policy.d/10-test.toml", 7, 1};
    out.goal = std::move(wish);
    out.match = std::move(match);
    return out;
}

Match only_dax(std::string pattern) {
    Match match;
    match.dax = {{std::move(pattern)}};
    return match;
}

Decision decision_of(const Topology& topology, const Policy& policy, const Holds& holds = {}) {
    return decide(topology, policy, holds).front();
}

TEST(Decide, WithoutARuleADeviceIsOnlyWatched) {
    const Decision decision = decision_of(one_device("KM"), {});
    EXPECT_EQ(decision.verdict, Verdict::unmanaged);
    EXPECT_TRUE(decision.plan.steps.empty());
    EXPECT_FALSE(decision.goal);
    EXPECT_EQ(decision.reason, "no rule matches this device: it is only watched");
}

TEST(Decide, OnANodeTheHighestDeviceComesOnlineFirstAndTheLowestLeavesFirst) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, "..");
    builder.dax("dax1.0", 200, "..").target_node = NodeId{2};
    builder.dax("dax2.0", 300, "..");
    builder.dax("dax3.0", 400, "MM");
    builder.dax("dax4.0", 500, "MM");
    const Topology topology = builder.build();
    Policy policy;
    policy.rules = {rule("away", goal(AmountNone{}), only_dax("dax[34].0")), rule("expanders")};
    EXPECT_THAT(order_of_work(topology, decide(topology, policy, {})), ElementsAre(3, 4, 2, 0, 1));
}

TEST(Decide, TheFirstRuleThatHoldsDecides) {
    Policy policy;
    policy.rules = {rule("other", {}, only_dax("dax9.*")), rule("first", goal(ZoneWish::kernel)),
                    rule("second")};
    policy.rules[1].place.line = 42;
    const Decision decision = decision_of(one_device("KK"), policy);
    EXPECT_EQ(decision.verdict, Verdict::in_policy);
    EXPECT_EQ(decision.rule, "first");
    EXPECT_EQ(decision.place.line, 42U);
    EXPECT_EQ(decision.reason, "2 of 2 blocks are online in a kernel zone, as rule 'first' says");
}

TEST(Decide, ActsOnWhatIsNotAsTheRuleSays) {
    Policy policy;
    policy.rules = {rule("expanders")};
    const Decision decision = decision_of(one_device("K."), policy);
    EXPECT_EQ(decision.verdict, Verdict::act);
    EXPECT_EQ(test::words(decision.plan.steps), "offline 100; online movable 101 100");
    EXPECT_EQ(decision.reason,
              "rule 'expanders': 1 block is online in a kernel zone and will be rezoned to ZONE_MOVABLE; 1 "
              "block is offline and will come online in ZONE_MOVABLE");
}

TEST(Decide, ActsOnThePartThatCanBeReached) {
    Policy policy;
    policy.rules = {rule("expanders")};
    const Decision decision = decision_of(one_device("k."), policy);
    EXPECT_EQ(decision.verdict, Verdict::act);
    EXPECT_THAT(decision.reason, HasSubstr("; but block 100 cannot come online in ZONE_MOVABLE"));
}

TEST(Decide, IsBlockedWhereNoStepHelps) {
    Policy policy;
    policy.rules = {rule("node 7", goal(NodeId{7}))};
    const Decision decision = decision_of(one_device("K."), policy);
    EXPECT_EQ(decision.verdict, Verdict::blocked);
    EXPECT_EQ(
        decision.reason,
        "rule 'node 7' cannot be fulfilled: its memory lands on node 1, and require_node asks for node 7");
}

TEST(Decide, IgnoredByARule) {
    Policy policy;
    policy.rules = {rule("hands off", goal(ModeWish::ignore)), rule("expanders")};
    EXPECT_EQ(decision_of(one_device("K."), policy).verdict, Verdict::ignored);
}

TEST(Decide, AHeldDeviceHasNoStepsButSaysWhatWaits) {
    Policy policy;
    policy.rules = {rule("expanders")};
    const Topology topology = one_device("..");
    const Holds holds{.devices = {hold_key(topology, topology.dax_devices.front())}, .cards = {}};
    const Decision decision = decision_of(topology, policy, holds);
    EXPECT_EQ(decision.verdict, Verdict::held);
    EXPECT_TRUE(decision.plan.steps.empty());
    EXPECT_EQ(decision.plan.blocks_wanted, 2U);
    EXPECT_THAT(decision.reason, HasSubstr("rule 'expanders' waits for its release"));
    EXPECT_EQ(decision_of(topology, {}, holds).verdict, Verdict::held);
}

TEST(Decide, GivesOneDecisionADeviceInOrder) {
    TopologyBuilder builder;
    builder.dax("dax1.0", 200, "K");
    builder.dax("dax0.0", 100, "M");
    Policy policy;
    policy.rules = {rule("expanders")};
    const std::vector<Decision> decisions = decide(builder.build(), policy, {});
    ASSERT_THAT(decisions, SizeIs(2));
    EXPECT_EQ(decisions[0].device.name, "dax0.0");
    EXPECT_EQ(decisions[0].verdict, Verdict::in_policy);
    EXPECT_EQ(decisions[1].verdict, Verdict::act);
}

TEST(Decide, RejectedRulesAreTheEarlierOnesWithWhatTheySaw) {
    Policy policy;
    policy.rules = {rule("a", {}, only_dax("dax9.*")), rule("b", {}, only_dax("dax8.*")), rule("c"),
                    rule("d")};
    const Topology topology = one_device("..");
    const std::vector<RejectedRule> rejected = rejected_rules(topology, policy, topology.dax_devices.front());
    ASSERT_THAT(rejected, SizeIs(2));
    EXPECT_EQ(rejected[0].rule, "a");
    EXPECT_EQ(rejected[1].why, (Mismatch{"dax", "dax8.*", "dax0.0"}));
    policy.rules.resize(2);
    EXPECT_THAT(rejected_rules(topology, policy, topology.dax_devices.front()), SizeIs(2));
}

// --- decide() looks rules up by index; it must find the same rule as asking them one by one. ---

using Dice = std::mt19937;

std::size_t below(Dice& dice, std::size_t end) {
    return std::uniform_int_distribution<std::size_t>{0, end - 1}(dice);
}

template <class T>
std::vector<T> some(Dice& dice, const std::vector<T>& all) {
    std::vector<T> out;
    if (below(dice, 4) != 0) return out;  // most keys are not written
    for (std::size_t i = 0, n = 1 + below(dice, 3); i < n; ++i) out.push_back(all[below(dice, all.size())]);
    return out;
}

std::vector<Compare> some_compare(Dice& dice, const std::vector<std::uint64_t>& numbers) {
    std::vector<Compare> out;
    for (const std::uint64_t number : some(dice, numbers)) {
        out.push_back({static_cast<Comparison>(below(dice, 5)), number});
    }
    return out;
}

Match random_match(Dice& dice) {
    const auto address = [](std::uint64_t block) { return PhysAddr{block * test::block_128m.value()}; };
    Match match;
    match.kind = some(dice, std::vector{DaxKind::cxl_ram, DaxKind::cxl_pmem, DaxKind::hmem, DaxKind::pmem});
    match.memdev_serial = some(dice, std::vector<std::uint64_t>{0, 1, 2, 3});
    match.memdev_host = some(dice, std::vector<Glob>{{"host*"}, {"host0"}, {"*1"}, {"host[01]"}, {"h?st2"}});
    match.region = some(dice, std::vector<Glob>{{"region0"}, {"region*"}, {"*"}, {"region[!0]"}, {"r*1"}});
    match.root_decoder = some(dice, std::vector<Glob>{{"decoder0.0"}, {"decoder*.1"}, {"decoder0"}});
    match.dax = some(
        dice, std::vector<Glob>{{"dax*"}, {"dax1"}, {"dax?"}, {"dax1?"}, {"*[02468]"}, {"dax\\1"}, {"dax["}});
    match.target_node = some(dice, std::vector{NodeId{-1}, NodeId{0}, NodeId{1}, NodeId{2}});
    match.size = some_compare(dice, {128 * test::mib, 256 * test::mib, 384 * test::mib});
    match.interleave_ways = some_compare(dice, {1, 2});
    match.qos_class = some(dice, std::vector{0, 1});
    match.read_latency = some_compare(dice, {100, 200, 300});
    match.write_latency = some_compare(dice, {100, 200, 300});
    match.read_bandwidth = some_compare(dice, {100, 200, 300});
    match.write_bandwidth = some_compare(dice, {100, 200, 300});
    match.phys_range =
        some(dice, std::vector{std::pair{address(0), address(50)}, std::pair{address(10), address(90)},
                               std::pair{address(0), address(1000)}});
    return match;
}

AccessCoordinates random_access(Dice& dice) {
    AccessCoordinates out;
    if (below(dice, 2) == 0) out.read_latency = Nanoseconds{static_cast<std::uint32_t>(100 * below(dice, 5))};
    if (below(dice, 2) == 0) out.write_latency = Nanoseconds{200};
    if (below(dice, 2) == 0) out.read_bandwidth = MegabytesPerSecond{200};
    if (below(dice, 2) == 0) out.write_bandwidth = MegabytesPerSecond{300};
    return out;
}

Topology random_machine(Dice& dice) {
    TopologyBuilder builder;
    for (std::uint64_t i = 0; i < 3; ++i) {
        builder.memdev("mem" + std::to_string(i), i, "host" + std::to_string(i));
    }
    for (std::size_t i = 0; i < 3; ++i) {
        std::vector<std::string> memdevs{"mem" + std::to_string(below(dice, 4))};  // mem3 is not there
        if (below(dice, 2) == 0) memdevs.push_back("mem0");
        Region& region = builder.region("region" + std::to_string(i), memdevs);
        region.root_decoder = "decoder0." + std::to_string(below(dice, 2));
        region.access = random_access(dice);
        if (below(dice, 2) == 0) region.qos_class = static_cast<int>(below(dice, 2));
        builder.node(static_cast<int>(i)).access = random_access(dice);
    }
    for (std::size_t i = 0; i < 12; ++i) {
        DaxDevice& device =
            builder.dax("dax" + std::to_string(i), 8 * i, std::string(1 + below(dice, 3), '.'));
        device.kind = static_cast<DaxKind>(below(dice, 4));
        device.target_node = NodeId{static_cast<int>(below(dice, 4)) - 1};
        if (below(dice, 3) != 0) device.id.region = "region" + std::to_string(below(dice, 4));
        for (std::size_t k = below(dice, 3); k > 0; --k) device.id.serials.push_back(below(dice, 4));
        if (below(dice, 8) == 0) device.ranges.clear();
    }
    return builder.build();
}

TEST(DecideProperties, TheIndexFindsTheRuleThatAskingOneByOneFinds) {
    std::size_t matched = 0;
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Dice dice{seed};
        const Topology topology = random_machine(dice);
        Policy policy;
        const std::size_t rules = below(dice, 200);  // around the word size of the index, and none
        for (std::size_t i = 0; i < rules; ++i)
            policy.rules.push_back(rule("r" + std::to_string(i), {}, random_match(dice)));
        const std::vector<Decision> decisions = decide(topology, policy, {});
        ASSERT_EQ(decisions.size(), topology.dax_devices.size());
        for (std::size_t i = 0; i < decisions.size(); ++i) {
            const DaxDevice& device = topology.dax_devices[i];
            const std::size_t rejected = rejected_rules(topology, policy, device).size();
            ASSERT_EQ(decisions[i].rule, rejected < rules ? policy.rules[rejected].name : "");
            if (!decisions[i].rule.empty()) ++matched;
        }
    }
    EXPECT_GT(matched, 500U);  // else the generator makes rules that never hold, and this proves nothing
}

}  // namespace
}  // namespace cxlmemd
