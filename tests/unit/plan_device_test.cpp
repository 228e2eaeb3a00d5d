// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "policy/decide.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::goal;
using test::one_device;
using test::picture;
using test::TopologyBuilder;
using test::words;
using ::testing::HasSubstr;

const DaxDevice& only_device(const Topology& topology) {
    return topology.dax_devices.front();
}

DevicePlan plan_of(const Topology& topology, const Goal& wish) {
    return plan_device(topology, only_device(topology), wish);
}

std::string after(const Topology& topology, const DevicePlan& plan) {
    const Topology then = predict(topology, only_device(topology), plan);
    return picture(then, only_device(then));
}

// What is, what is wanted, what is done, what is then.
struct Row {
    std::string name;
    std::string before;
    Goal goal;
    std::string steps;
    std::string after;
    std::uint64_t wanted;
    std::uint64_t right;
};

void PrintTo(const Row& row, std::ostream* out) {
    *out << row.name;
}

const Goal keep_all = goal(OnConflict::keep);
const Goal kernel_all = goal(ZoneWish::kernel);
const Goal auto_all = goal(ZoneWish::automatic);
const Goal half = goal(AmountPercent{50});
const Goal half_keep = goal(AmountPercent{50}, OnConflict::keep);
const Goal half_kernel = goal(AmountPercent{50}, ZoneWish::kernel);
const Goal to_devdax = goal(ModeWish::devdax);
const Goal none = goal(AmountNone{});
const Goal two_blocks = goal(AmountBytes{Bytes{256 * test::mib}});

class PlanTable : public ::testing::TestWithParam<Row> {};

TEST_P(PlanTable, StepsAndResult) {
    const Row& row = GetParam();
    const Topology topology = one_device(row.before);
    const DevicePlan plan = plan_of(topology, row.goal);
    EXPECT_EQ(words(plan.steps), row.steps) << plan.reason;
    EXPECT_EQ(after(topology, plan), row.after);
    EXPECT_EQ(plan.blocks_wanted, row.wanted);
    EXPECT_EQ(plan.blocks_right, row.right);
    EXPECT_FALSE(plan.blocked) << plan.blocked->text();
    EXPECT_FALSE(plan.reason.empty());
}

INSTANTIATE_TEST_SUITE_P(
    PlanDevice, PlanTable,
    ::testing::Values(
        Row{"OnlinesHighestFirst", "....", {}, "online movable 103 102 101 100", "MMMM", 4, 0},
        Row{"NothingToDo", "MMMM", {}, "", "MMMM", 4, 4},
        Row{"AutoIsMovable", "..", auto_all, "online movable 101 100", "MM", 2, 0},
        Row{"KernelZone", "..", kernel_all, "online kernel 101 100", "KK", 2, 0},
        Row{"RezonesBeforeOnline", "K.M.", {}, "offline 100; online movable 103 101 100", "MMMM", 4, 1},
        Row{"RezonesWithAHole", "KKKM", {}, "offline 101 102 100; online movable 102 101 100", "MMMM", 4, 1},
        Row{"KeepLeavesZone", "KK..", keep_all, "online movable 103 102", "KKMM", 4, 2},
        Row{"KeepHasNothingToDo", "KKMM", keep_all, "", "KKMM", 4, 4},
        Row{"HalfTakesHighest", "....", half, "online movable 103 102", "..MM", 2, 0},
        Row{"HalfKeepsRightOnes", ".M..", half, "online movable 103", ".M.M", 2, 1},
        Row{"HalfDropsLowest", "MMMM", half, "offline 101 100", "..MM", 2, 2},
        Row{"HalfPrefersRightToHigh", "MMKK", half, "offline 103 102", "MM..", 2, 2},
        Row{"HalfRezonesBeforeOnline", "KK..", half, "offline 101 100; online movable 101 100", "MM..", 2, 0},
        Row{"HalfKeepCounts", "KK..", half_keep, "", "KK..", 2, 2},
        Row{"HalfKeepDropsExcess", "MKKK", half_keep, "offline 102 101", "M..K", 2, 2},
        Row{"HalfMixesBoth", "KKKM", half, "offline 101 102 100; online movable 102", "..MM", 2, 1},
        Row{"HalfRoundsDown", "...", half, "online movable 102", "..M", 1, 0},
        Row{"HalfGrowsDownwards", ".....M", half, "online movable 104 103", "...MMM", 3, 1},
        Row{"HalfShrinksUpwards", "MMMMMM", half, "offline 101 102 100", "...MMM", 3, 3},
        Row{"NoneTakesAllOff", "MK.M", none, "offline 103 100 101", "....", 0, 0},
        Row{"BytesInBlocks", "....", two_blocks, "online movable 103 102", "..MM", 2, 0},
        Row{"MoreBytesThanThereAre", ".", two_blocks, "online movable 100", "M", 1, 0},
        Row{"SkipsBarredIfOthersDo", ".m.k", half, "online movable 102 101", ".MMk", 2, 0},
        Row{"SkipsLeavingIfOthersDo", "...-", half, "online movable 102 101", ".MM-", 2, 0},
        Row{"BarredForKernel", "..km", half_kernel, "online kernel 102 101", ".KKm", 2, 0}),
    [](const auto& row) { return row.param.name; });

// daxX.Y/state reads unplugged: kmem is bound and has no memory; binding it anew brings the blocks back.
TEST(PlanDevice, BringsADeviceBackThatSomebodyUnplugged) {
    Topology topology = one_device("xxxx");
    topology.features.dax_state = true;
    topology.dax_devices[0].hotplug_state = HotplugState::unplugged;
    const DevicePlan plan = plan_of(topology, {});
    EXPECT_EQ(words(plan.steps), "set-mode unbound; set-mode system-ram; online movable 103 102 101 100");
    EXPECT_FALSE(plan.blocked);
    EXPECT_THAT(plan.reason, HasSubstr("its state reads 'unplugged'"));
    EXPECT_EQ(after(topology, plan), "MMMM");
    // Then there is nothing left to do.
    const Topology then = predict(topology, topology.dax_devices[0], plan);
    EXPECT_TRUE(plan_of(then, {}).steps.empty());
    // Nothing is wanted: nothing is done.
    EXPECT_TRUE(plan_of(topology, none).steps.empty());
    EXPECT_FALSE(plan_of(topology, none).blocked);
    // Blocks that are missing for another reason are said, as ever.
    topology.dax_devices[0].hotplug_state = HotplugState::offline;
    EXPECT_TRUE(plan_of(topology, {}).steps.empty());
    EXPECT_THAT(plan_of(topology, {}).reason, HasSubstr("missing in the kernel"));
}

TEST(PlanDevice, PoisonedBlocksAreLeftOutAndOthersTakeTheirPlace) {
    Topology topology = one_device("....");
    topology.poisoned = {BlockIndex{102}};
    const DevicePlan some = plan_of(topology, half);
    EXPECT_EQ(words(some.steps), "online movable 103 101");
    EXPECT_FALSE(some.blocked);
    const DevicePlan all = plan_of(topology, {});
    EXPECT_EQ(words(all.steps), "online movable 103 101 100");
    ASSERT_TRUE(all.blocked);
    EXPECT_THAT(all.blocked->reason, HasSubstr("block 102 cannot come online: a page of it is poisoned"));
}

TEST(PlanDevice, SaysWhereMoreIsAskedForThanThereIs) {
    EXPECT_THAT(plan_of(one_device("M"), two_blocks).reason,
                HasSubstr("amount 256MiB is more than the 128MiB that the device has"));
    EXPECT_THAT(plan_of(one_device("MM"), two_blocks).reason, testing::Not(HasSubstr("more than")));
}

TEST(PlanDevice, FamfsNeedsItsDriver) {
    Topology topology = one_device("KM..");
    const DevicePlan none_there = plan_of(topology, goal(ModeWish::famfs));
    EXPECT_TRUE(none_there.steps.empty());
    ASSERT_TRUE(none_there.blocked);
    EXPECT_EQ(none_there.blocked->code, ErrorCode::not_supported);
    topology.features.famfs = true;
    EXPECT_EQ(words(plan_of(topology, goal(ModeWish::famfs)).steps), "offline 100 101; set-mode famfs");
    EXPECT_EQ(words(plan_of(one_device("xxxx", DaxMode::famfs), goal(ModeWish::famfs)).steps), "");
    // And back.
    EXPECT_EQ(words(plan_of(one_device("xx", DaxMode::famfs), {}).steps),
              "set-mode system-ram; online movable 101 100");
}

TEST(PlanDevice, IgnoreDoesNothing) {
    const DevicePlan plan = plan_of(one_device("K."), goal(ModeWish::ignore));
    EXPECT_TRUE(plan.steps.empty());
    EXPECT_FALSE(plan.blocked);
}

TEST(PlanDevice, SaysWhatIsRoundedAway) {
    const DevicePlan plan = plan_of(one_device("M.."), half);
    EXPECT_TRUE(plan.steps.empty());
    EXPECT_THAT(plan.reason, HasSubstr("amount 50% rounded down to 1 of 3 blocks"));
}

TEST(PlanDevice, ReasonsReadAsSentences) {
    EXPECT_EQ(plan_of(one_device("MM"), {}).reason, "2 of 2 blocks are online in ZONE_MOVABLE");
    EXPECT_EQ(plan_of(one_device("KM"), {}).reason,
              "1 block is online in a kernel zone and will be rezoned to ZONE_MOVABLE");
    EXPECT_EQ(plan_of(one_device("K."), keep_all).reason,
              "1 block is offline and will come online in ZONE_MOVABLE");
    EXPECT_EQ(plan_of(one_device("KM"), keep_all).reason,
              "1 of 2 blocks are online in ZONE_MOVABLE and 1 in a kernel zone, where on_conflict = keep "
              "leaves them");
    EXPECT_EQ(plan_of(one_device("MMMM"), half).reason,
              "2 blocks are online beyond the 2 wanted and will go offline");
    EXPECT_EQ(plan_of(one_device("M."), none).reason, "1 block is online and will go offline");
    EXPECT_EQ(plan_of(one_device(".."), none).reason, "no block is online");
    EXPECT_EQ(
        plan_of(one_device("xx", DaxMode::unbound), {}).reason,
        "the device is unbound and will be bound as system-ram; 2 blocks will come online in ZONE_MOVABLE");
}

// --- Modes ---

TEST(PlanDevice, BindsThenOnlinesWhatWillExist) {
    const Topology topology = one_device("xxxx", DaxMode::devdax);
    const DevicePlan plan = plan_of(topology, half);
    EXPECT_EQ(words(plan.steps), "set-mode system-ram; online movable 103 102");
    EXPECT_EQ(after(topology, plan), "..MM");
}

TEST(PlanDevice, SaysThatTheKernelOnlinesByItself) {
    TopologyBuilder builder;
    builder.auto_online(AutoOnline::online).dax("dax0.0", 100, "xx", DaxMode::unbound);
    EXPECT_THAT(plan_of(builder.build(), {}).reason, HasSubstr("auto_online_blocks is 'online'"));
}

TEST(PlanDevice, BindsUnboundToDevdax) {
    const Topology topology = one_device("xx", DaxMode::unbound);
    const DevicePlan plan = plan_of(topology, to_devdax);
    EXPECT_EQ(words(plan.steps), "set-mode devdax");
    EXPECT_EQ(only_device(predict(topology, only_device(topology), plan)).mode, DaxMode::devdax);
}

TEST(PlanDevice, R11_TakesEveryBlockOfflineBeforeAModeChange) {
    const Topology topology = one_device("MK.M");
    const DevicePlan plan = plan_of(topology, to_devdax);
    EXPECT_EQ(words(plan.steps), "offline 103 100 101; set-mode devdax");
    EXPECT_EQ(after(topology, plan), "xxxx");
}

TEST(PlanDevice, R11_DoesNotChangeModeWhileABlockIsGoingOffline) {
    const DevicePlan plan = plan_of(one_device("M-"), to_devdax);
    EXPECT_EQ(words(plan.steps), "offline 100");
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::busy);
    EXPECT_THAT(plan.blocked->reason, HasSubstr("block 101 is going offline"));
}

TEST(PlanDevice, R11_LostMemoryNeedsARebootAndNothingIsTried) {
    for (const Goal& wish : {Goal{}, none, to_devdax}) {
        const DevicePlan plan = plan_of(one_device("M.", DaxMode::unbound), wish);
        EXPECT_TRUE(plan.steps.empty());
        ASSERT_TRUE(plan.blocked);
        EXPECT_EQ(plan.blocked->code, ErrorCode::reboot_required);
    }
}

// --- What stands in the way ---

TEST(PlanDevice, R8_RefusesANegativeTargetNode) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, "xx", DaxMode::unbound).target_node = no_node;
    const Topology topology = builder.build();
    const DevicePlan plan = plan_of(topology, {});
    EXPECT_TRUE(plan.steps.empty());
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::invalid_argument);
    EXPECT_THAT(plan.blocked->text(), HasSubstr("invalid node: -1"));
    // as devdax it lands nowhere, so the node does not matter
    EXPECT_FALSE(plan_of(topology, to_devdax).blocked);
}

TEST(PlanDevice, R9_RefusesADeviceWithNoWholeBlock) {
    TopologyBuilder builder;
    DaxDevice& device = builder.dax("dax0.0", 100, "x", DaxMode::unbound);
    device.ranges.front().start = PhysAddr{device.ranges.front().start.value() + 4096};
    const DevicePlan plan = plan_of(builder.build(), {});
    EXPECT_TRUE(plan.steps.empty());
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::invalid_argument);
    EXPECT_THAT(plan.blocked->reason, HasSubstr("no whole memory block of 128MiB"));
}

TEST(PlanDevice, R9_TouchesWholeBlocksOnly) {
    TopologyBuilder builder;
    DaxDevice& device = builder.dax("dax0.0", 100, "....");
    device.ranges.front() = {PhysAddr{device.ranges.front().start.value() + 4096},
                             Bytes{device.ranges.front().size.value() - 8192}};
    EXPECT_EQ(words(plan_of(builder.build(), {}).steps), "online movable 102 101");
}

TEST(PlanDevice, SaysThatTheKernelHasNoMemoryBlocks) {
    Topology topology = one_device("xx", DaxMode::unbound);
    topology.block_size = Bytes{0};
    const DevicePlan plan = plan_of(topology, {});
    EXPECT_TRUE(plan.steps.empty());
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::not_supported);
}

TEST(PlanDevice, LeavesADeviceOnAnotherNodeAlone) {
    const DevicePlan plan = plan_of(one_device("K."), goal(NodeId{2}, NodeId{3}));
    EXPECT_TRUE(plan.steps.empty());
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::conflict);
    EXPECT_EQ(plan.reason, "its memory lands on node 1, and require_node asks for node 2 or 3");
}

TEST(PlanDevice, R13_WithoutHotRemoveTheZoneStays) {
    TopologyBuilder builder;
    builder.no_hotremove().dax("dax0.0", 100, "KK.K");
    const Topology topology = builder.build();
    const DevicePlan plan = plan_of(topology, {});
    EXPECT_EQ(words(plan.steps), "online movable 102");
    EXPECT_EQ(after(topology, plan), "KKMK");
    EXPECT_EQ(plan.blocks_right, 0U);
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::not_supported);
    EXPECT_EQ(plan.blocked->reason,
              "blocks 100-101, 103 stay in a kernel zone: this kernel cannot hot-remove memory");
}

TEST(PlanDevice, R13_WithoutHotRemoveWrongBlocksStillCountForTheAmount) {
    TopologyBuilder builder;
    builder.no_hotremove().dax("dax0.0", 100, "..KK");
    const DevicePlan plan = plan_of(builder.build(), half);
    EXPECT_TRUE(plan.steps.empty());
    EXPECT_TRUE(plan.blocked);
}

TEST(PlanDevice, R13_WithoutHotRemoveExcessAndModeStay) {
    TopologyBuilder builder;
    builder.no_hotremove().dax("dax0.0", 100, "MM..");
    for (const Goal& wish : {none, to_devdax}) {
        const DevicePlan plan = plan_of(builder.build(), wish);
        EXPECT_TRUE(plan.steps.empty());
        ASSERT_TRUE(plan.blocked);
        EXPECT_EQ(plan.blocked->code, ErrorCode::not_supported);
    }
}

TEST(PlanDevice, R13_WithoutHotRemoveEvenAnOfflineDeviceIsNotUnbound) {
    TopologyBuilder builder;
    builder.no_hotremove().dax("dax0.0", 100, "..");
    const DevicePlan plan = plan_of(builder.build(), to_devdax);
    EXPECT_TRUE(plan.steps.empty());
    EXPECT_TRUE(plan.blocked);
}

TEST(PlanDevice, R15_ABlockThatMayNotHaveTheZoneIsNamed) {
    const DevicePlan plan = plan_of(one_device("k.k."), {});
    EXPECT_EQ(words(plan.steps), "online movable 103 101");
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::conflict);
    EXPECT_THAT(plan.blocked->reason, HasSubstr("blocks 100, 102 cannot come online in ZONE_MOVABLE"));
}

TEST(PlanDevice, R15_ABlockGoingOfflineIsLeftAlone) {
    const DevicePlan plan = plan_of(one_device("M-"), {});
    EXPECT_TRUE(plan.steps.empty());
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->code, ErrorCode::busy);
}

TEST(PlanDevice, SaysWhichPartTheKernelDidNotAdd) {
    const DevicePlan plan = plan_of(one_device("..xx"), {});
    EXPECT_EQ(words(plan.steps), "online movable 101 100");
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->reason, "2 of 4 blocks are missing in the kernel though kmem is bound");
    EXPECT_FALSE(plan_of(one_device("..xx"), half).blocked);
}

TEST(PlanDevice, ABlockThatCannotBeReadIsNotCalledMissing) {
    Topology topology = one_device("..x");
    topology.unreadable.push_back(
        {.what = "memory block 102: state", .where = only_device(topology).ranges.front(), .errnum = EIO});
    const DevicePlan plan = plan_of(topology, {});
    ASSERT_TRUE(plan.blocked);
    EXPECT_EQ(plan.blocked->reason,
              "1 of 3 blocks are not known: memory block 102: state cannot be read (EIO)");
    EXPECT_EQ(plan.blocked->errnum, EIO);
}

TEST(PlanDevice, KeepsASentenceShortForManyScatteredBlocks) {
    std::string scattered;
    for (int i = 0; i < 40; ++i) scattered += "k.";
    const DevicePlan plan = plan_of(one_device(scattered), {});
    ASSERT_TRUE(plan.blocked);
    EXPECT_THAT(plan.blocked->reason, HasSubstr("blocks 100, 102, 104, 106, 108, 110, 112, 114 and 32 more"));
}

}  // namespace
}  // namespace cxlmemd
