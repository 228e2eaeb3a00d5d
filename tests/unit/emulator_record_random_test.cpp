// SPDX-License-Identifier: LGPL-2.1-or-later
// Records of machines that nobody thought of: random histories, and random files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>

#include "backends/emulator/write.h"
#include "tests/unit/emulator_record_helpers.h"

namespace cxlmemd::emulator {
namespace {

using namespace test;

constexpr std::uint64_t gib = 1ULL << 30;

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

// A block that no dax device has: left behind by one.
bool has_loose_memory(const Topology& topology) {
    std::set<BlockIndex> whole;
    for (const DaxDevice& device : topology.dax_devices) {
        for (const BlockIndex block : whole_blocks(device, topology.block_size)) whole.insert(block);
    }
    return std::ranges::any_of(topology.blocks, [&](const Block& b) { return !whole.contains(b.index); });
}

TEST(EmulatorRecord, OfRandomMachinesShowsTheSame) {
    std::size_t leaked = 0;
    std::size_t mixed = 0;
    std::size_t loose = 0;
    for (std::uint32_t seed = 0; seed < 1500; ++seed) {
        SCOPED_TRACE(seed);
        const Topology topology = random_topology(seed);
        for (const DaxDevice& device : topology.dax_devices) {
            if (reboot_required(topology, device)) ++leaked;
        }
        if (!topology.blocks.empty()) ++mixed;
        if (has_loose_memory(topology)) ++loose;
        expect_exact(topology);
        ASSERT_FALSE(HasFailure()) << text_of(topology);
    }
    EXPECT_GT(leaked, 50U);
    EXPECT_GT(mixed, 500U);
    EXPECT_GT(loose, 100U);
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

}  // namespace
}  // namespace cxlmemd::emulator
