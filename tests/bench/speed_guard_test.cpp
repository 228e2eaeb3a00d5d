// SPDX-License-Identifier: LGPL-2.1-or-later
// Guards on the speed and the memory of decisions that hold on a loaded machine, too: they count what is
// asked and what is allocated, or compare processor times of one run.
#include <gmock/gmock.h>

#include <algorithm>
#include <ctime>

#include "policy/compile.h"
#include "policy/decide.h"
#include "policy/match.h"
#include "policy/rule_index.h"
#include "tests/bench/counting_new.h"
#include "tests/bench/decide_mixes.h"
#include "tests/bench/large_texts.h"

namespace cxlmemd::test {
namespace {

struct NameOf {
    template <class Info>
    std::string operator()(const Info& tested) const {
        return std::string{tested.param.name};
    }
};

std::size_t work_of(const RuleMix& mix, std::size_t devices, std::size_t rules) {
    const Topology topology = fleet_machine(devices);
    const Policy policy = fleet_policy(mix, rules);
    RuleIndex index{policy};
    for (const DaxDevice& device : topology.dax_devices)
        EXPECT_NE(index.find(facts_of(topology, device)), nullptr);
    return index.work();
}

class Mix : public testing::TestWithParam<RuleMix> {};

// Asking 1,000 rules one by one would be 1,000 a device.
TEST_P(Mix, AsksFewRulesADevice) {
    constexpr std::size_t devices = 1'000;
    constexpr std::size_t once = 100'000;  // numbers that repeat are compared once and remembered
    EXPECT_LE(work_of(GetParam(), devices, many_rules), once + 40 * devices);
}

TEST_P(Mix, AsksNoMoreADeviceWhenThereAreMoreDevices) {
    const std::size_t some = work_of(GetParam(), 2'000, many_rules);
    const std::size_t more = work_of(GetParam(), 6'000, many_rules);
    EXPECT_LE(more, 4 * some);  // names of more digits have more pieces
}

TEST_P(Mix, FindsTheRuleThatAskingOneByOneFinds) {
    const Topology topology = fleet_machine(300);
    const Policy policy = fleet_policy(GetParam(), 200);
    RuleIndex index{policy};
    for (const DaxDevice& device : topology.dax_devices) {
        const Facts facts = facts_of(topology, device);
        const auto holds = [&](const Rule& rule) { return !first_failing(facts, rule.match); };
        EXPECT_EQ(index.find(facts), &*std::ranges::find_if(policy.rules, holds)) << device.id.name;
    }
}

std::size_t peak_of(const RuleMix& mix, std::size_t devices, std::size_t rules) {
    const Topology topology = fleet_machine(devices);
    const Policy policy = fleet_policy(mix, rules);
    const CountedMemory memory;
    const auto decisions = decide(topology, policy, {});
    return memory.peak();
}

TEST_P(Mix, TakesMemoryInProportionToDevicesAndRules) {
    const std::size_t base = peak_of(GetParam(), 1'000, 500);
    EXPECT_LE(peak_of(GetParam(), 2'000, 500), base * 5 / 2);
    EXPECT_LE(peak_of(GetParam(), 1'000, 1'000), base * 5 / 2);
}

INSTANTIATE_TEST_SUITE_P(Decide, Mix, testing::ValuesIn(rule_mixes()), NameOf{});

class Text : public testing::TestWithParam<LargeText> {};

double processor_seconds(const std::vector<SourceFile>& files) {
    timespec before{};
    timespec after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    const Compiled compiled = compile(files);
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return static_cast<double>(after.tv_sec - before.tv_sec) +
           static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
}

// What is slow in its own way is not much slower than as much text that is not.
TEST_P(Text, CompilesNotMuchSlowerThanAPlainOne) {
    const std::vector<SourceFile> plain = large_texts().front().files();
    const std::vector<SourceFile> hostile = GetParam().files();
    EXPECT_LE(processor_seconds(hostile), 20 * processor_seconds(plain));
}

INSTANTIATE_TEST_SUITE_P(Compile, Text, testing::ValuesIn(large_texts()), NameOf{});

}  // namespace
}  // namespace cxlmemd::test
