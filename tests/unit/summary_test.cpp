// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::one_device;
using test::TopologyBuilder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

DaxSummary summary_of(const Topology& topology) {
    return summarize(topology, topology.dax_devices.front());
}

Policy policy_with(ModeWish mode) {
    Policy policy;
    policy.rules.emplace_back().goal.mode = mode;
    return policy;
}

struct Row {
    std::string name;
    std::string blocks;
    std::string state;
    std::string zone;
    std::uint32_t online;
    std::uint32_t movable;
};

void PrintTo(const Row& row, std::ostream* out) {
    *out << row.name;
}

class SummaryTable : public ::testing::TestWithParam<Row> {};

TEST_P(SummaryTable, CountsBlocks) {
    const Row& row = GetParam();
    const DaxSummary summary = summary_of(one_device(row.blocks));
    EXPECT_EQ(to_string(summary.state), row.state);
    EXPECT_EQ(to_string(summary.zone), row.zone);
    EXPECT_EQ(summary.blocks_total, row.blocks.size());
    EXPECT_EQ(summary.blocks_online, row.online);
    EXPECT_EQ(summary.blocks_movable, row.movable);
    EXPECT_EQ(summary.bytes_online.value(), row.online * test::block_128m.value());
    EXPECT_FALSE(summary.reboot_required);
}

INSTANTIATE_TEST_SUITE_P(Summary, SummaryTable,
                         ::testing::Values(Row{"Offline", "....", "offline", "none", 0, 0},
                                           Row{"Online", "MMMM", "online", "movable", 4, 4},
                                           Row{"InKernelZone", "KK", "online", "kernel", 2, 0},
                                           Row{"Partial", "MM..", "partial", "movable", 2, 2},
                                           Row{"Mixed", "MKK.", "partial", "mixed", 3, 1},
                                           Row{"GoingOfflineIsNotOnline", "M-", "partial", "movable", 1, 1},
                                           Row{"MissingBlocksAreNotOnline", "MMxx", "partial", "movable", 2,
                                               2}),
                         [](const auto& row) { return row.param.name; });

TEST(Summary, UnboundDeviceIsOffline) {
    const DaxSummary summary = summary_of(one_device("xxxx", DaxMode::devdax));
    EXPECT_EQ(summary.state, DaxState::offline);
    EXPECT_EQ(summary.blocks_total, 4U);
}

TEST(Summary, R9_ReportsWhatAlignmentLoses) {
    TopologyBuilder builder;
    DaxDevice& device = builder.dax("dax0.0", 100, "x");
    device.ranges.front() = {PhysAddr{device.ranges.front().start.value() + test::mib},
                             Bytes{device.ranges.front().size.value()}};
    const DaxSummary summary = summary_of(builder.build());
    EXPECT_EQ(summary.state, DaxState::offline);
    EXPECT_EQ(summary.blocks_total, 0U);
    EXPECT_EQ(summary.bytes_stranded, test::block_128m);
}

TEST(Summary, R11_SaysWhatOnlyARebootBringsBack) {
    const Topology topology = one_device("M.", DaxMode::unbound);
    EXPECT_TRUE(summary_of(topology).reboot_required);
    const MachineSummary machine = summarize(topology, Policy{});
    ASSERT_THAT(machine.conflicts, SizeIs(1));
    EXPECT_EQ(machine.conflicts[0].kind, "leaked");
    EXPECT_THAT(machine.conflicts[0].message, HasSubstr("dax0.0"));
}

TEST(Summary, AddsUpTheMachine) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, "MM..");
    builder.dax("dax1.0", 200, "K");
    builder.node(0, Bytes{4 * test::gib});
    builder.node(1, Bytes{}, Bytes{6 * test::gib});
    const MachineSummary machine = summarize(builder.build(), Policy{});
    EXPECT_EQ(machine.bytes_total.value(), 5 * test::block_128m.value());
    EXPECT_EQ(machine.bytes_online.value(), 3 * test::block_128m.value());
    EXPECT_DOUBLE_EQ(machine.movable_ratio, 1.5);
}

TEST(Summary, AnEmptyMachineIsAllZero) {
    EXPECT_EQ(summarize(Topology{}, Policy{}), MachineSummary{});
}

AccessCoordinates coordinates(std::uint32_t latency, std::uint32_t bandwidth) {
    return {Nanoseconds{latency}, Nanoseconds{latency}, MegabytesPerSecond{bandwidth},
            MegabytesPerSecond{bandwidth}};
}

std::vector<std::string> conflicts_of(const Topology& topology, const std::string& kind,
                                      const Policy& policy = {}) {
    std::vector<std::string> out;
    for (const auto& conflict : summarize(topology, policy).conflicts) {
        if (conflict.kind == kind) out.push_back(conflict.message);
    }
    return out;
}

TEST(Summary, R4_ATierThatContradictsTheCoordinatesIsSaid) {
    test::TopologyBuilder builder;
    builder.node(0, Bytes{test::gib}).has_cpu = true;
    builder.node(1, {}, Bytes{test::gib});
    Topology topology = builder.build();
    topology.nodes[0].tier = 4;
    topology.nodes[0].access = coordinates(100, 200'000);
    topology.nodes[1].tier = 4;
    topology.nodes[1].access = coordinates(300, 25'000);
    EXPECT_THAT(
        conflicts_of(topology, "tier"),
        ::testing::ElementsAre("node 1 is in tier 4, its coordinates give 108: nothing is demoted to it"));
    topology.nodes[1].tier = 22;
    EXPECT_THAT(conflicts_of(topology, "tier"),
                ::testing::ElementsAre(::testing::HasSubstr("slower or faster")));
    topology.nodes[1].tier = 108;
    EXPECT_THAT(conflicts_of(topology, "tier"), ::testing::IsEmpty());
    topology.nodes[1].tier = 4;
    topology.nodes[1].access.write_bandwidth.reset();  // half known
    EXPECT_THAT(conflicts_of(topology, "tier"), ::testing::ElementsAre(::testing::HasSubstr("in part only")));
    topology.nodes[1].access = {};  // unknown
    EXPECT_THAT(conflicts_of(topology, "tier"), ::testing::IsEmpty());
    topology.nodes[1].access = coordinates(300, 25'000);
    topology.nodes[0].access = {};  // nothing to compare with
    EXPECT_THAT(conflicts_of(topology, "tier"), ::testing::IsEmpty());
}

TEST(Summary, MemoryOnANodeWithCpusIsSaid) {
    Topology topology = test::one_device("MMMM");
    Node node;
    node.id = NodeId{1};
    node.has_cpu = true;
    topology.nodes = {node};
    Policy policy;
    policy.rules.resize(1);
    EXPECT_THAT(
        conflicts_of(topology, "dram-node", policy),
        ::testing::ElementsAre(::testing::HasSubstr("memory of dax0.0 is on node 1, which has CPUs")));
    topology.dax_devices[0].mode = DaxMode::devdax;
    EXPECT_THAT(conflicts_of(topology, "dram-node", policy), ::testing::IsEmpty());
}

TEST(Summary, MuchMoreMovableMemoryThanKernelMemoryIsSaidWithoutALimitToo) {
    test::TopologyBuilder builder;
    builder.node(0, Bytes{test::gib}, Bytes{15 * test::gib});
    EXPECT_THAT(conflicts_of(builder.build(), "movable-ratio"),
                ::testing::ElementsAre(::testing::HasSubstr("is 15.00, where up to about 3 is safe")));
    test::TopologyBuilder fine;
    fine.node(0, Bytes{test::gib}, Bytes{3 * test::gib});
    EXPECT_THAT(conflicts_of(fine.build(), "movable-ratio"), ::testing::IsEmpty());
    // Who has set a limit has thought of it.
    Policy policy;
    policy.max_movable_ratio = 20;
    EXPECT_THAT(conflicts_of(builder.build(), "movable-ratio", policy), ::testing::IsEmpty());
}

// Debian's rule for the crash kernel: one conflict of its own kind, with the way out.
TEST(Summary, WorkForEachBlockIsAConflictOfItsOwnKind) {
    Topology topology = test::one_device("........");
    topology.competitors = {
        {"/r/50-kdump.rules:1", "a udev rule that reloads the crash kernel", Zone::none,
         CompetitorKind::crash_dump},
        {"/r/60.rules:2", "a udev rule that runs a program", Zone::none, CompetitorKind::may_online}};
    Policy policy;
    policy.rules.resize(1);
    const auto conflicts = summarize(topology, policy).conflicts;
    ASSERT_EQ(conflicts.size(), 2U);
    EXPECT_EQ(conflicts[0].kind, "work-per-block");
    EXPECT_THAT(conflicts[0].message,
                ::testing::HasSubstr("the dax devices here have 8): /r/50-kdump.rules:1"));
    EXPECT_THAT(conflicts[0].message, ::testing::HasSubstr("kernels from 6.6 on tell the crash kernel"));
    EXPECT_THAT(conflicts[0].message, ::testing::HasSubstr("mask the rule"));
    EXPECT_EQ(conflicts[1].kind, "competitor");
    EXPECT_THAT(conflicts[1].message, ::testing::HasSubstr("may bring new memory online by itself"));
}

TEST(Summary, TheKernelOnliningByItselfIsAConflictIfARuleManagesMemory) {
    Topology topology = one_device("..");
    topology.auto_online = AutoOnline::online_movable;
    EXPECT_THAT(summarize(topology, Policy{}).conflicts, IsEmpty());
    EXPECT_THAT(summarize(topology, policy_with(ModeWish::devdax)).conflicts, IsEmpty());
    const MachineSummary machine = summarize(topology, policy_with(ModeWish::system_ram));
    ASSERT_THAT(machine.conflicts, SizeIs(1));
    EXPECT_EQ(machine.conflicts[0].kind, "auto-online");
    EXPECT_THAT(machine.conflicts[0].message, HasSubstr("auto_online_blocks is 'online_movable'"));
    EXPECT_THAT(machine.conflicts[0].message, HasSubstr("set auto_online = \"manage\""));
    for (const AutoOnlineCare care : {AutoOnlineCare::daemon, AutoOnlineCare::watched}) {
        const MachineSummary managed =
            summarize(topology, policy_with(ModeWish::system_ram), totals_of(topology), care);
        ASSERT_THAT(managed.conflicts, SizeIs(1));
        EXPECT_THAT(managed.conflicts[0].message, Not(HasSubstr("set auto_online"))) << "it is set";
        EXPECT_THAT(managed.conflicts[0].message, HasSubstr("\"manage\" is set"));
    }
    topology.auto_online = AutoOnline::offline;
    EXPECT_THAT(summarize(topology, policy_with(ModeWish::system_ram)).conflicts, IsEmpty());
}

}  // namespace
}  // namespace cxlmemd
