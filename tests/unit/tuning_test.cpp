// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/tuning.h"

#include <gmock/gmock.h>

#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::gib;
using test::TopologyBuilder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

AccessCoordinates bandwidth(std::uint32_t read, std::uint32_t write) {
    AccessCoordinates out;
    out.read_bandwidth = MegabytesPerSecond{read};
    out.write_bandwidth = MegabytesPerSecond{write};
    return out;
}

// Node 0 has DRAM, node 1 the memory of dax0.0, node 2 none that is online.
Topology machine(bool with_coordinates = true) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, "M.");
    builder.node(0, Bytes{16 * gib});
    builder.node(1, Bytes{}, Bytes{gib});
    builder.node(2);
    Topology out = builder.build();
    out.features.weighted_interleave = true;
    for (Node& node : out.nodes) node.interleave_weight = 1;
    if (with_coordinates) {
        out.nodes[0].access = bandwidth(300'000, 200'000);
        out.nodes[1].access = bandwidth(60'000, 70'000);
    }
    return out;
}

NodeTuning for_node(int id, std::optional<std::uint32_t> weight, std::uint32_t line = 1) {
    return {.place = {"p.toml", line, 1}, .id = {NodeId{id}}, .kind = {}, .interleave_weight = weight};
}

NodeTuning for_kind(DaxKind kind, std::optional<std::uint32_t> weight) {
    return {.place = {"p.toml", 1, 1}, .id = {}, .kind = {kind}, .interleave_weight = weight};
}

TuningPlan plan(const Topology& topology, std::vector<NodeTuning> tables,
                DemotionWish demotion = DemotionWish::leave) {
    Policy policy;
    policy.nodes = std::move(tables);
    return plan_tuning(topology, policy, demotion);
}

// "node 1: 7", "auto: 1", with "!" where the kernel does not read so yet
std::vector<std::string> wishes(const TuningPlan& plan) {
    std::vector<std::string> out;
    for (const TuningWish& wish : plan.wishes) {
        const std::string what = wish.tunable == Tunable::interleave_auto ? "auto"
                                 : wish.tunable == Tunable::demotion
                                     ? "demotion"
                                     : "node " + std::to_string(wish.node.value());
        out.push_back(what + ": " + std::to_string(wish.value) + (wish.holds ? "" : "!"));
    }
    return out;
}

TEST(AutomaticWeights, AreTheKernelsReduction) {
    const auto weights = [](std::vector<std::uint32_t> bandwidths) {
        std::vector<MegabytesPerSecond> in;
        for (const std::uint32_t one : bandwidths) in.emplace_back(one);
        return automatic_weights(in);
    };
    EXPECT_THAT(weights({100, 100}), ElementsAre(1, 1));
    EXPECT_THAT(weights({300'000, 100'000}), ElementsAre(3, 1));
    EXPECT_THAT(weights({200'000, 60'000}), ElementsAre(24, 7));
    EXPECT_THAT(weights({1'000'000, 1}), ElementsAre(31, 1));
    EXPECT_THAT(weights({}), IsEmpty());
}

TEST(Tuning, FirstTableThatMatchesANodeDecides) {
    EXPECT_THAT(wishes(plan(machine(), {for_node(1, 7), for_node(1, 9)})), ElementsAre("node 1: 7!"));
    EXPECT_THAT(wishes(plan(machine(), {for_node(1, std::nullopt), for_node(1, 9)})), IsEmpty());
    EXPECT_THAT(wishes(plan(machine(), {for_node(1, 1)})), ElementsAre("node 1: 1"));
}

TEST(Tuning, KindMatchesNodesThatCarryItAsSystemRam) {
    EXPECT_THAT(wishes(plan(machine(), {for_kind(DaxKind::cxl_ram, 7)})), ElementsAre("node 1: 7!"));
    EXPECT_THAT(wishes(plan(machine(), {for_kind(DaxKind::hmem, 7)})), IsEmpty());
    Topology devdax = machine();
    devdax.dax_devices[0].mode = DaxMode::devdax;
    EXPECT_THAT(wishes(plan(devdax, {for_kind(DaxKind::cxl_ram, 7)})), IsEmpty());
}

TEST(Tuning, WaitsUntilTheNodeHasMemoryOnline) {
    EXPECT_THAT(wishes(plan(machine(), {for_node(2, 7)})), IsEmpty());
    EXPECT_THAT(plan(machine(), {for_node(2, 7)}).obstacles, IsEmpty());
}

TEST(Tuning, AutoIsTheKernelsModeWhereItHasOneAndNothingElseIsAsked) {
    Topology topology = machine(false);
    topology.features.weighted_interleave_auto = true;
    topology.interleave_auto = false;
    EXPECT_THAT(wishes(plan(topology, {for_node(1, 0)})), ElementsAre("auto: 1!"));
    topology.interleave_auto = true;
    EXPECT_THAT(wishes(plan(topology, {for_node(1, 0)})), ElementsAre("auto: 1"));
    // A number for one node ends the mode: the others get theirs computed.
    topology.nodes[0].access = bandwidth(200'000, 200'000);
    topology.nodes[1].access = bandwidth(100'000, 100'000);
    EXPECT_THAT(wishes(plan(topology, {for_node(0, 5), for_node(1, 0)})),
                ElementsAre("node 0: 5!", "node 1: 10!"));
}

TEST(Tuning, AutoIsComputedWhereTheKernelHasNoSuchMode) {
    EXPECT_THAT(wishes(plan(machine(), {for_node(0, 0), for_node(1, 0)})),
                ElementsAre("node 0: 24!", "node 1: 7!"));
    EXPECT_THAT(plan(machine(), {for_node(0, 0), for_node(1, 0)}).obstacles, IsEmpty());
}

TEST(Tuning, AutoForSomeNodesOnlyIsSaidForTheOthers) {
    const TuningPlan out = plan(machine(), {for_node(1, 0)});
    EXPECT_THAT(wishes(out), ElementsAre("node 1: 7!"));
    EXPECT_THAT(out.obstacles,
                ElementsAre(HasSubstr("about node 0: its interleave weight stays 1, where 24")));
}

TEST(Tuning, AutoWithoutABandwidthLeavesTheWeightAndSaysWhose) {
    Topology topology = machine();
    topology.nodes[0].access.write_bandwidth.reset();
    const TuningPlan out = plan(topology, {for_node(1, 0)});
    EXPECT_THAT(out.wishes, IsEmpty());
    EXPECT_THAT(out.obstacles, ElementsAre(HasSubstr("the kernel reports none for node 0")));
}

TEST(Tuning, TheKernelsModeGivesANodeOfUnknownBandwidthTheLeast) {
    Topology topology = machine();
    topology.features.weighted_interleave_auto = true;
    topology.interleave_auto = true;
    topology.nodes[1].access.write_bandwidth.reset();
    const TuningPlan out = plan(topology, {for_node(0, 0), for_node(1, 0)});
    EXPECT_THAT(wishes(out), ElementsAre("auto: 1"));
    EXPECT_THAT(out.obstacles, ElementsAre(HasSubstr("the kernel knows no bandwidth of node 1")));
}

TEST(Tuning, KindNeverWritesTheWeightOfANodeWithCpus) {
    Topology topology = machine();
    topology.nodes[1].has_cpu = true;
    const TuningPlan out = plan(topology, {for_kind(DaxKind::cxl_ram, 7)});
    EXPECT_THAT(out.wishes, IsEmpty());
    EXPECT_THAT(out.obstacles, ElementsAre(HasSubstr("node 1 is left alone (p.toml:1): memory of dax0.0")));
    // By its number it is meant.
    const TuningPlan meant = plan(topology, {for_node(1, 5), for_kind(DaxKind::cxl_ram, 7)});
    EXPECT_THAT(wishes(meant), ElementsAre("node 1: 5!"));
    EXPECT_THAT(meant.obstacles, IsEmpty());
}

TEST(Tuning, DemotionWithAllMemoryInOneTierIsSaid) {
    Topology topology = machine();
    topology.features.demotion = true;
    topology.demotion_enabled = true;
    topology.nodes[0].tier = 4;
    topology.nodes[1].tier = 4;
    EXPECT_THAT(
        plan(topology, {}, DemotionWish::on).obstacles,
        ElementsAre(HasSubstr("nothing is ever demoted: all memory of the machine is in memory tier 4")));
    EXPECT_THAT(plan(topology, {}, DemotionWish::leave).obstacles, IsEmpty());
    topology.nodes[1].tier = 22;
    EXPECT_THAT(plan(topology, {}, DemotionWish::on).obstacles, IsEmpty());
    topology.nodes[1].tier.reset();  // not known
    EXPECT_THAT(plan(topology, {}, DemotionWish::on).obstacles, IsEmpty());
    // What is yet to come online may be in a tier of its own.
    topology.nodes[1].bytes_movable = {};
    EXPECT_THAT(plan(topology, {}, DemotionWish::on).obstacles, IsEmpty());
}

TEST(Tuning, KernelWithoutWeightedInterleaveIsSaidOnce) {
    Topology topology = machine();
    topology.features.weighted_interleave = false;
    const TuningPlan out = plan(topology, {for_node(0, 3), for_node(1, 7)});
    EXPECT_THAT(out.wishes, IsEmpty());
    EXPECT_THAT(out.obstacles, ElementsAre(HasSubstr("no weighted interleave")));
}

TEST(Tuning, DemotionIsWishedForAsTheSettingsSay) {
    Topology topology = machine();
    EXPECT_THAT(plan(topology, {}, DemotionWish::on).obstacles, SizeIs(1));
    EXPECT_THAT(plan(topology, {}, DemotionWish::on).wishes, IsEmpty());
    topology.features.demotion = true;
    topology.demotion_enabled = false;
    EXPECT_THAT(wishes(plan(topology, {}, DemotionWish::on)), ElementsAre("demotion: 1!"));
    EXPECT_THAT(wishes(plan(topology, {}, DemotionWish::off)), ElementsAre("demotion: 0"));
    EXPECT_THAT(plan(topology, {}), TuningPlan{});
}

}  // namespace
}  // namespace cxlmemd
