// A record shows what was recorded: a topology, written as a file, read, switched on and scanned again.
#include "backends/emulator/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "backends/emulator/differences.h"
#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/write.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::uint64_t gib = 1ULL << 30;
const RecordedBy by{"1.2.3", "linux", "Linux 6.12.95"};
const std::filesystem::path machines =
    std::filesystem::path(__FILE__).parent_path() / "../../backends/emulator/machines";

Topology scan(const Emulator& emulator) {
    return emulator.pair.worker_side->scan().value();
}

std::string text_of(const Topology& topology, bool made_up_serials = false) {
    auto text = record(topology, by, made_up_serials);
    EXPECT_TRUE(text) << text.error().text();
    return text.value_or("");
}

Topology replayed(const Topology& topology, bool made_up_serials = false) {
    const ParsedMachine machine = parse_machine(text_of(topology, made_up_serials), "record");
    EXPECT_TRUE(machine) << to_string(machine.error().front());
    return scan(make_emulator(machine.value_or(MachineDescription{})));
}

void expect_exact(const Topology& topology) {
    EXPECT_THAT(recorded_machine(topology).differences, IsEmpty());
    EXPECT_THAT(differences(topology, replayed(topology)), IsEmpty());
    EXPECT_THAT(text_of(topology), Not(HasSubstr("otherwise")));
}

Emulator ready(const std::string& name) {
    return make_emulator(read_machine_file((machines / (name + ".toml")).string()).value());
}

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

std::vector<std::filesystem::path> ready_machines() {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator(machines)) out.push_back(entry.path());
    std::ranges::sort(out);
    return out;
}

INSTANTIATE_TEST_SUITE_P(Machines, EmulatorRecordOfAReadyMachine, ::testing::ValuesIn(ready_machines()),
                         [](const auto& machine) {
                             std::string name = machine.param.stem().string();
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

// --- Random histories. ---

class Dice final {
 public:
    explicit Dice(std::uint32_t seed) : engine_(seed) {}

    std::uint64_t below(std::uint64_t end) {
        return std::uniform_int_distribution<std::uint64_t>{0, end - 1}(engine_);
    }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    template <class T>
    const T& of(const std::vector<T>& items) {
        return items[below(items.size())];
    }

 private:
    std::mt19937 engine_;
};

// What happens on machines, refusals included: nobody asks whether it worked.
void something_happens(Dice& dice, EmulatorControl& control, const Topology& now) {
    const auto dax = [&] { return now.dax_devices.empty() ? "dax0.0" : dice.of(now.dax_devices).id.name; };
    const auto memdev = [&] { return now.memdevs.empty() ? "mem0" : dice.of(now.memdevs).name; };
    const auto inject = [&](const char* event, const InjectDetails& details) {
        static_cast<void>(control.inject(event, details));  // may well be refused
    };
    const auto some_blocks = [&](InjectDetails details) {
        details["dax"] = dax();
        details["nth"] = dice.below(8);
        details["count"] = 1 + dice.below(8);
        return details;
    };
    switch (dice.below(13)) {
        case 0:
        case 1:
        case 2:
        case 3:
            return inject("online-block",
                          some_blocks({{"zone", std::string{dice.one_in(2) ? "movable" : "kernel"}}}));
        case 4: return inject("offline-block", some_blocks({}));
        case 5: return inject("unbind-dax", {{"dax", dax()}});
        case 6:
            return inject("bind-dax",
                          {{"dax", dax()}, {"mode", std::string{dice.one_in(2) ? "devdax" : "system-ram"}}});
        case 7: return inject("remove-memdev", {{"memdev", memdev()}});
        case 8:
            return inject("add-memdev",
                          {{"serial", dice.below(100)}, {"ram_size", gib * (1 + dice.below(4))}});
        case 9:
            return inject("add-region", {{"memdevs", dice.one_in(2) ? memdev() : memdev() + "," + memdev()},
                                         {"size", gib * (1 + dice.below(2))},
                                         {"read_latency", 100 + dice.below(300)},
                                         {"write_latency", 100 + dice.below(300)},
                                         {"read_bandwidth", 1000 + dice.below(3000)},
                                         {"write_bandwidth", 1000 + dice.below(3000)}});
        case 10:
            return inject("remove-region",
                          {{"region", now.regions.empty() ? "region0" : dice.of(now.regions).name}});
        case 11:
            return inject("set-interleave-weight",
                          {{"node", dice.below(4)}, {"weight", 1 + dice.below(255)}});
        default:
            if (dice.one_in(2)) return inject("set-demotion", {{"enabled", dice.one_in(2)}});
            return inject(
                "set-auto-online",
                {{"value", dice.of(std::vector<std::string>{"offline", "online", "online_movable"})}});
    }
}

Topology random_topology(std::uint32_t seed) {
    Dice dice{seed};
    MachineDescription machine = two_card_server();
    machine.block_size = Bytes{(128ULL << 20) << dice.below(3)};
    machine.features = {.dax_state = dice.one_in(2),
                        .weighted_interleave = !dice.one_in(4),
                        .weighted_interleave_auto = dice.one_in(2),
                        .access_coordinates = !dice.one_in(3),
                        .region_create = true,
                        .memory_hotremove = !dice.one_in(5),
                        .demotion = dice.one_in(2)};
    machine.interleave_auto = dice.one_in(2);
    machine.nodes.front().access = {Nanoseconds{90}, Nanoseconds{95}, MegabytesPerSecond{90000},
                                    MegabytesPerSecond{80000}};
    for (Region& region : machine.regions) {
        if (dice.one_in(2)) continue;
        region.access = {Nanoseconds{300}, Nanoseconds{310}, MegabytesPerSecond{20000},
                         MegabytesPerSecond{15000}};
    }
    if (dice.one_in(3)) {
        machine.decoders_with_list.insert("decoder0.0");
        machine.root_decoders.front().memdevs = {"mem1"};
    }
    Emulator emulator = make_emulator(machine);
    const std::uint64_t events = dice.below(30);
    for (std::uint64_t i = 0; i < events; ++i) something_happens(dice, *emulator.control, scan(emulator));
    return scan(emulator);
}

// A block that only touches a device, lost by one that lay there before: no device is there to describe it.
bool touches_only(const Topology& topology) {
    std::set<BlockIndex> whole;
    for (const DaxDevice& device : topology.dax_devices) {
        for (const BlockIndex block : whole_blocks(device, topology.block_size)) whole.insert(block);
    }
    return std::ranges::any_of(topology.blocks, [&](const Block& b) { return !whole.contains(b.index); });
}

TEST(EmulatorRecord, OfRandomMachinesShowsTheSame) {
    std::size_t leaked = 0;
    std::size_t mixed = 0;
    std::size_t touching = 0;
    for (std::uint32_t seed = 0; seed < 1500; ++seed) {
        SCOPED_TRACE(seed);
        const Topology topology = random_topology(seed);
        for (const DaxDevice& device : topology.dax_devices) {
            if (reboot_required(topology, device)) ++leaked;
        }
        if (!topology.blocks.empty()) ++mixed;
        if (touches_only(topology)) {
            ++touching;
            EXPECT_THAT(differences(topology, replayed(topology)), Each(StartsWith("memory blocks ")));
        } else {
            expect_exact(topology);
        }
        ASSERT_FALSE(HasFailure()) << text_of(topology);
    }
    EXPECT_GT(leaked, 50U);
    EXPECT_GT(mixed, 500U);
    EXPECT_LT(touching, 100U);
}

// --- Random files. ---

std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
}

// Ready machines with lines of theirs missing, twice there, or with the value of another line.
std::string random_file(Dice& dice, const std::vector<std::vector<std::string>>& files) {
    std::vector<std::string> lines = dice.of(files);
    const std::uint64_t changes = 1 + dice.below(4);
    for (std::uint64_t i = 0; i < changes; ++i) {
        std::string& line = lines[dice.below(lines.size())];
        const std::string& other = dice.of(dice.of(files));
        const auto value = line.find(" = ");
        const auto others = other.find(" = ");
        switch (dice.below(4)) {
            case 0: line.clear(); break;
            case 1: line += "\n" + other; break;
            case 2: line = other; break;
            default:
                if (value != std::string::npos && others != std::string::npos)
                    line = line.substr(0, value) + other.substr(others);
        }
    }
    std::string out;
    for (const std::string& line : lines) out += line + '\n';
    return out;
}

TEST(EmulatorRecord, OfAnyMachineThatAFileDescribesShowsTheSame) {
    std::vector<std::vector<std::string>> files;
    for (const auto& file : ready_machines()) {
        if (file.stem() != "sixteen-tib-pool") files.push_back(lines_of(file));  // it takes its time
    }
    std::size_t valid = 0;
    for (std::uint32_t seed = 0; seed < 6000; ++seed) {
        SCOPED_TRACE(seed);
        Dice dice{seed};
        const std::string text = random_file(dice, files);
        const ParsedMachine machine = parse_machine(text, "random");
        if (!machine) continue;
        ++valid;
        const ParsedMachine again = parse_machine(write_machine(*machine), "again");
        ASSERT_TRUE(again) << to_string(again.error().front()) << text;
        EXPECT_EQ(*again, *machine);
        expect_exact(scan(make_emulator(*machine)));
        ASSERT_FALSE(HasFailure()) << text;
    }
    EXPECT_GT(valid, 700U);
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
    Topology topology = scan(ready("auto-online"));
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
    const auto text = record(topology, by, false);
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
    EXPECT_THAT(text, HasSubstr("# Serial numbers are made up.\n"));
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

TEST(EmulatorRecord, OfALargeMachineInPiecesFitsIntoAFile) {
    Topology topology = scan(ready("sixteen-tib-pool"));
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
