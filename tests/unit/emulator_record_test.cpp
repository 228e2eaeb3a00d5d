// SPDX-License-Identifier: LGPL-2.1-or-later
// A record shows what was recorded: a topology, written as a file, read, switched on and scanned again.
#include "backends/emulator/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/emulator/anonymous.h"
#include "backends/emulator/write.h"
#include "tests/unit/emulator_record_helpers.h"

namespace cxlmemd::emulator {
namespace {

using namespace test;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EmulatorRecordOfAReadyMachine : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(EmulatorRecordOfAReadyMachine, ShowsTheSame) {
    expect_exact(scan(make_emulator(read_machine_file(GetParam().string()).value())));
}

TEST_P(EmulatorRecordOfAReadyMachine, IsTheSameTextTwice) {
    const Topology topology = scan(make_emulator(read_machine_file(GetParam().string()).value()));
    EXPECT_EQ(text_of(topology), text_of(topology));
    EXPECT_EQ(text_of(topology), text_of(replayed(topology)));
}

TEST_P(EmulatorRecordOfAReadyMachine, AndItsDescriptionIsWrittenAsItIsRead) {
    const MachineDescription machine = read_machine_file(GetParam().string()).value();
    const ParsedMachine again = parse_machine(write_machine(machine), "again");
    ASSERT_TRUE(again) << to_string(again.error().front());
    EXPECT_EQ(*again, machine);
}

INSTANTIATE_TEST_SUITE_P(Machines, EmulatorRecordOfAReadyMachine, ::testing::ValuesIn(ready_machines()),
                         [](const auto& machine) {
                             std::string name = machine.param.stem().string();
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

Topology scan_of(const std::string& ready_machine) {
    return scan(make_emulator(read_machine_file((machines / (ready_machine + ".toml")).string()).value()));
}

// --- What the emulator does by itself otherwise. ---

Topology two_cards() {
    return scan(make_emulator(two_card_server()));
}

TEST(EmulatorRecord, KeepsEachBlockWhereItIs) {
    Emulator emulator = make_emulator(two_card_server());
    ASSERT_TRUE(emulator.control->inject(
        "online-block", {{"dax", "dax0.0"}, {"count", std::int64_t{4}}, {"zone", "movable"}}));
    ASSERT_TRUE(emulator.control->inject("online-block",
                                         {{"dax", "dax0.0"}, {"nth", std::int64_t{6}}, {"zone", "kernel"}}));
    const Topology topology = scan(emulator);
    EXPECT_THAT(
        text_of(topology),
        HasSubstr("blocks = { offline = \"182-183,185-209\", kernel = \"184\", movable = \"178-181\" }"));
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsMemoryThatIsLostUntilReboot) {
    Emulator emulator = make_emulator(two_card_server());
    ASSERT_TRUE(emulator.control->inject("online-block", {{"dax", "dax0.0"}, {"zone", "movable"}}));
    ASSERT_TRUE(emulator.control->inject("unbind-dax", {{"dax", "dax0.0"}}));
    const Topology copy = replayed(scan(emulator));
    EXPECT_TRUE(reboot_required(copy, *find_dax(copy, "dax0.0")));
    expect_exact(scan(emulator));
}

TEST(EmulatorRecord, KeepsTiersAndWeightsThatTheKernelGave) {
    Topology topology = scan_of("auto-online");
    topology.nodes.at(1).tier = 7;
    topology.nodes.at(2).tier.reset();
    topology.nodes.at(1).interleave_weight = 9;
    topology.nodes.at(2).interleave_weight.reset();
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsCoordinatesThatAreThereBeforeTheMemory) {
    Topology topology = two_cards();
    topology.features.access_coordinates = true;
    topology.regions.front().access.read_latency = Nanoseconds{250};
    topology.nodes.at(2).access.write_bandwidth = MegabytesPerSecond{7000};
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsNodesWithNothingOnThem) {
    Topology topology = two_cards();
    topology.nodes.emplace_back().id = NodeId{5};
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsADeviceThatIsBoundToKmemAndUnplugged) {
    Topology topology = two_cards();
    std::erase_if(topology.blocks, [](const Block& b) { return b.node == NodeId{1}; });
    std::erase_if(topology.nodes, [](const Node& n) { return n.id == NodeId{1}; });
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsWhatDaxStateReads) {
    MachineDescription machine = two_card_server();
    machine.features.dax_state = true;
    machine.features.famfs = true;
    Topology topology = scan(make_emulator(machine));
    ASSERT_EQ(topology.dax_devices.at(0).hotplug_state, HotplugState::offline);
    topology.dax_devices.at(1).hotplug_state = HotplugState::online_movable;
    expect_exact(topology);
    std::erase_if(topology.blocks, [](const Block& b) { return b.node == NodeId{1}; });
    std::erase_if(topology.nodes, [](const Node& n) { return n.id == NodeId{1}; });
    topology.dax_devices.at(0).hotplug_state = HotplugState::unplugged;
    topology.kernel_available = *topology.kernel_available + Bytes{64ULL << 20};  // of struct pages
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsWhichMachineItIs) {
    Topology topology = two_cards();
    topology.host = {"host.example", "0123", "kvm", "6.12.95-amd64", "ACME", "Model 1"};
    topology.memdevs.at(0).bridge = "pci0000:0c";
    topology.competitors = {
        {"/r:1", "a udev rule that runs a program", Zone::none, CompetitorKind::crash_dump}};
    expect_exact(topology);
    const HostFacts anonymous = with_made_up_serials(topology).host;
    EXPECT_EQ(anonymous, (HostFacts{"host", "", "kvm", "6.12.95-amd64", "ACME", "Model 1"}));
}

TEST(EmulatorRecord, KeepsFamfsAndOtherModes) {
    Topology topology = two_cards();
    std::erase_if(topology.blocks, [](const Block& b) { return b.node != NodeId{0}; });
    std::erase_if(topology.nodes, [](const Node& n) { return n.id != NodeId{0}; });
    topology.dax_devices.at(0).mode = DaxMode::famfs;
    topology.dax_devices.at(1).mode = DaxMode::devdax;
    topology.kernel_available = *topology.kernel_available + Bytes{128ULL << 20};  // of struct pages
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsWhatCannotBeMovedApart) {
    Topology topology = two_cards();
    topology.memdevs.at(1).serial = topology.memdevs.at(0).serial;  // some emulated cards have none
    topology.dax_devices.at(1).id.serials = topology.dax_devices.at(0).id.serials;
    topology.memdevs.at(0).serial = topology.memdevs.at(1).serial = ~0ULL;
    topology.dax_devices.at(0).id.serials = topology.dax_devices.at(1).id.serials = {~0ULL};
    topology.regions.at(0).locked = true;
    topology.regions.at(0).destroyed_first = {};
    topology.competitors = {
        {.where = "/etc/udev/rules.d/40 \"x\"\\y.rules:3", .what = "a udev rule", .zone = Zone::movable}};
    expect_exact(topology);
}

TEST(EmulatorRecord, KeepsTheOrderInWhichRegionsGo) {
    Topology topology = two_cards();
    topology.regions.at(0).memdevs = {"mem0", "mem1"};
    topology.regions.at(0).interleave_ways = 2;
    topology.dax_devices.at(0).id.serials = {1, 2};
    // region1 was made before region0.
    topology.regions.at(1).destroyed_first = {"region0"};
    expect_exact(topology);
}

// --- What cannot be shown. ---

TEST(EmulatorRecord, SaysWhatTheEmulatorShowsOtherwise) {
    Topology topology = two_cards();
    topology.regions.at(1).size = {};  // somebody is about to make it
    topology.regions.at(0).destroyed_first = {"decoder5.1"};
    topology.blocks.at(3).movable_allowed = false;
    topology.blocks.at(4).state = BlockState::going_offline;
    const std::string text = text_of(topology);
    EXPECT_THAT(text, HasSubstr("# The emulator shows this otherwise:\n"));
    EXPECT_THAT(text, HasSubstr("# - region1: cannot be described, and is missing here\n"));
    EXPECT_THAT(text,
                HasSubstr("# - region0: what must go before it was [\"decoder5.1\"], and is [] here\n"));
    EXPECT_THAT(text, HasSubstr("# - memory blocks 181: was offline, for a kernel zone alone on node 1"));
    EXPECT_THAT(text, HasSubstr("# - memory blocks 182: was going-offline on node 1"));
    const Topology copy = replayed(topology);
    EXPECT_EQ(find_region(copy, "region1"), nullptr);
    EXPECT_NE(find_dax(copy, "dax1.0"), nullptr);
}

TEST(EmulatorRecord, OfTwoDevicesInOnePlaceHasOneAndSaysSo) {
    Topology topology = two_cards();
    topology.dax_devices.at(1).ranges = topology.dax_devices.at(0).ranges;
    EXPECT_THAT(recorded_machine(topology).differences,
                Contains("dax1.0: cannot be described, and is missing here"));
}

TEST(EmulatorRecord, TextFromHardwareCannotBreakOutOfTheFile) {
    Topology topology = two_cards();
    topology.memdevs.at(0).firmware = "1.0\"\n[[node]]\nid = 7 \\ \x1b[2J \xff \xe2\x80\xae";
    const Topology copy = replayed(topology);
    EXPECT_EQ(find_node(copy, NodeId{7}), nullptr);
    EXPECT_EQ(copy.memdevs.at(0).firmware, "1.0\"\n[[node]]\nid = 7 \\ \x1b[2J ? \xe2\x80\xae");
    const std::string text = text_of(topology);
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
}

TEST(EmulatorRecord, WhatNoFileCanSayIsAnErrorWithItsPlace) {
    Topology topology = two_cards();
    topology.memdevs.at(0).host.clear();
    const auto text = record(topology, {}, false);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, ErrorCode::failed);
    EXPECT_THAT(text.error().text(), HasSubstr("\"host\" of [[memdev]]"));
}

// --- The head, and serials. ---

TEST(EmulatorRecord, SaysWhereItComesFrom) {
    const std::string text = text_of(two_cards());
    EXPECT_THAT(
        text, StartsWith(
                  "# CXL memory of a machine, recorded by cxlmemd 1.2.3, linux backend on Linux 6.12.95.\n"));
}

TEST(EmulatorRecord, MakesSerialsUpTheSameForTheSameMachine) {
    Topology topology = two_cards();
    topology.memdevs.at(0).serial = 0xabcdef;
    topology.memdevs.at(1).serial = 0x123456;
    topology.dax_devices.at(0).id.serials = {0xabcdef};
    topology.dax_devices.at(1).id.serials = {0x123456};
    const std::string text = text_of(topology, true);
    EXPECT_THAT(text, HasSubstr("# Serial numbers and physical addresses are made up.\n"));
    EXPECT_THAT(text, Not(HasSubstr("abcdef")));
    EXPECT_THAT(text, Not(HasSubstr("123456")));
    EXPECT_THAT(text, HasSubstr("0000:0d:00.0"));
    EXPECT_THAT(text, HasSubstr("emulated"));

    std::swap(topology.memdevs.at(0).name, topology.memdevs.at(1).name);  // the next boot
    const Topology next = with_made_up_serials(topology);
    EXPECT_EQ(next.memdevs.at(0).serial, 1U);
    EXPECT_EQ(next.memdevs.at(1).serial, 2U);
    EXPECT_THAT(next.dax_devices.at(1).id.serials, ElementsAre(2U));
}

TEST(EmulatorRecord, CardsThatShareASerialDoSoInTheRecordAndZeroStaysZero) {
    Topology topology = two_cards();
    Memdev third = topology.memdevs.at(1);
    third.name = "mem2";
    third.host = "0000:77:00.0";
    topology.memdevs.push_back(third);
    topology.memdevs.at(0).serial = 0;
    topology.memdevs.at(1).serial = topology.memdevs.at(2).serial = 0xabcdef;
    topology.dax_devices.at(0).id.serials = {0};
    topology.dax_devices.at(1).id.serials = {0xabcdef};
    const Topology anonymous = with_made_up_serials(topology);
    EXPECT_EQ(anonymous.memdevs.at(0).serial, 0U);
    EXPECT_EQ(anonymous.memdevs.at(1).serial, 1U);
    EXPECT_EQ(anonymous.memdevs.at(2).serial, 1U);
    EXPECT_EQ(replayed(anonymous).memdevs.size(), 3U);
}

TEST_P(EmulatorRecordOfAReadyMachine, HasNoAddressOfTheMachineWhenItIsAnonymous) {
    const Topology topology = scan_of(GetParam().stem().string());
    const Topology moved = with_made_up_addresses(topology);
    const std::uint64_t block = std::max<std::uint64_t>(topology.block_size.value(), 1);

    ASSERT_EQ(moved.dax_devices.size(), topology.dax_devices.size());
    for (std::size_t i = 0; i < topology.dax_devices.size(); ++i) {
        const DaxDevice& was = topology.dax_devices[i];
        const DaxDevice& is = moved.dax_devices[i];
        ASSERT_EQ(is.ranges.size(), was.ranges.size());
        for (std::size_t r = 0; r < was.ranges.size(); ++r) {
            EXPECT_NE(is.ranges[r].start, was.ranges[r].start) << was.id.name;
            EXPECT_EQ(is.ranges[r].size, was.ranges[r].size);
            EXPECT_EQ(is.ranges[r].start.value() % block, was.ranges[r].start.value() % block);
        }
        EXPECT_EQ(is.id.start, is.ranges.front().start);
        EXPECT_EQ(whole_blocks(is, topology.block_size).size(),
                  whole_blocks(was, topology.block_size).size());
        std::size_t present_then = 0;
        std::size_t present_now = 0;
        for (const PhysRange& range : was.ranges) present_then += present_blocks(topology, range).size();
        for (const PhysRange& range : is.ranges) present_now += present_blocks(moved, range).size();
        EXPECT_EQ(present_now, present_then) << was.id.name;
    }
    EXPECT_EQ(moved.blocks.size(), topology.blocks.size());
    EXPECT_TRUE(std::ranges::is_sorted(moved.blocks, {}, &Block::index));
    EXPECT_EQ(with_made_up_addresses(topology), moved);
    EXPECT_EQ(with_made_up_addresses(moved), moved) << "how wide the gaps were can be told";
}

TEST(EmulatorRecord, OfALargeMachineInPiecesFitsIntoAFile) {
    Topology topology = scan_of("sixteen-tib-pool");
    std::uint64_t movable = 0;
    for (std::size_t i = 0; i < topology.blocks.size(); i += 2) {
        topology.blocks[i].state = BlockState::online;
        topology.blocks[i].zone = Zone::movable;
        ++movable;
    }
    topology.nodes.at(1).bytes_movable = Bytes{movable * topology.block_size.value()};
    topology.nodes.at(1).tier = 9;
    topology.nodes.at(1).interleave_weight = 1;
    expect_exact(topology);
}

}  // namespace
}  // namespace cxlmemd::emulator
