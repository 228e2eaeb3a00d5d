// SPDX-License-Identifier: LGPL-2.1-or-later
// Access coordinates of regions and nodes, from those of the memdevs (R3).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/emulator/file.h"
#include "backends/emulator/machine.h"
#include "backends/emulator/record.h"
#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/write.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two cards of unlike speed under one region; `more` stands in its table.
std::string pool(const std::string& first, const std::string& second, const std::string& more = {}) {
    const auto card = [](const char* name, int serial, const std::string& access) {
        return std::string{"[[memdev]]\nname = \""} + name + "\"\nserial = " + std::to_string(serial) +
               "\nhost = \"x\"\nram_size = \"1GiB\"\n" + (access.empty() ? "" : "access = " + access + "\n");
    };
    return R"([features]
access_coordinates = true
weighted_interleave = true
weighted_interleave_auto = true
[[node]]
id = 0
cpus = true
memory = "4GiB"
access = { read_latency = 100, write_latency = 100, read_bandwidth = 90000, write_bandwidth = 90000 }
)" + card("mem0", 1, first) +
           card("mem1", 2, second) + R"([[region]]
name = "region0"
memdevs = ["mem0", "mem1"]
start = 0x100000000
size = "2GiB"
)" + more + R"([[dax]]
name = "dax0.0"
region = "region0"
target_node = 1
)";
}

const std::string fast =
    "{ read_latency = 200, write_latency = 260, read_bandwidth = 20000, write_bandwidth = 18000 }";
const std::string slow =
    "{ read_latency = 300, write_latency = 220, read_bandwidth = 10000, write_bandwidth = 12000 }";
const AccessCoordinates both{Nanoseconds{300}, Nanoseconds{260}, MegabytesPerSecond{30000},
                             MegabytesPerSecond{30000}};

MachineDescription described(const std::string& text) {
    auto parsed = parse_machine(text, "m.toml");
    if (parsed) return *parsed;
    ADD_FAILURE() << to_string(parsed.error().front());
    return {};
}

Machine with_a_block_online(const std::string& text) {
    Machine machine{described(text), {}};
    EXPECT_TRUE(machine.write_block_state(BlockIndex{0x100000000 >> 27}, BlockWrite::online_movable));
    return machine;
}

TEST(EmulatedCoordinates, R3_OfARegionAreTheWorstLatencyAndTheSumOfTheBandwidths) {
    const Machine machine = with_a_block_online(pool(fast, slow));
    EXPECT_EQ(machine.region("region0")->access, both);
    const Topology topology = machine.topology();
    EXPECT_EQ(find_node(topology, NodeId{1})->access, both);
}

TEST(EmulatedCoordinates, R3_ComeWithTheFirstBlockAndSoDoTierAndWeight) {
    Machine machine{described(pool(fast, slow)), {}};
    EXPECT_EQ(machine.region("region0")->access, AccessCoordinates{});
    const Topology before = machine.topology();
    EXPECT_EQ(find_node(before, NodeId{1})->access, AccessCoordinates{});
    EXPECT_EQ(find_node(before, NodeId{1})->interleave_weight, std::nullopt);
    const Topology after = with_a_block_online(pool(fast, slow)).topology();
    // 576 * 560 / 200 * 180000 / 60000, and 32 * 90 / 120 to 32 * 30 / 120
    EXPECT_EQ(find_node(after, NodeId{1})->tier, 4836 >> 7);
    EXPECT_EQ(find_node(after, NodeId{0})->interleave_weight, 3U);
    EXPECT_EQ(find_node(after, NodeId{1})->interleave_weight, 1U);
}

TEST(EmulatedCoordinates, OfACardThatSaysNothingDoNotCount) {
    EXPECT_EQ(with_a_block_online(pool(fast, "")).region("region0")->access,
              (AccessCoordinates{Nanoseconds{200}, Nanoseconds{260}, MegabytesPerSecond{20000},
                                 MegabytesPerSecond{18000}}));
    EXPECT_EQ(with_a_block_online(pool("", "")).region("region0")->access, AccessCoordinates{});
}

TEST(EmulatedCoordinates, OfTheRegionsOwnGoFirst) {
    const Machine own = with_a_block_online(pool(fast, slow, "access = { read_latency = 7 }\n"));
    EXPECT_EQ(own.region("region0")->access, (AccessCoordinates{Nanoseconds{7}, {}, {}, {}}));
    const Machine none = with_a_block_online(pool(fast, slow, "access = { shown = true }\n"));
    EXPECT_EQ(none.region("region0")->access, AccessCoordinates{});
}

TEST(EmulatedCoordinates, AreThoseOfCardsThatComeLater) {
    Machine machine{described(R"([features]
access_coordinates = true
[[root_decoder]]
name = "decoder0.0"
start = 0x100000000
size = "8GiB"
)"),
                    {}};
    const AccessCoordinates access{Nanoseconds{300}, Nanoseconds{310}, MegabytesPerSecond{1000},
                                   MegabytesPerSecond{900}};
    for (const char* name : {"mem0", "mem1"}) {
        Memdev memdev;
        memdev.name = name;
        memdev.serial = static_cast<std::uint64_t>(name[3]);
        memdev.ram_size = Bytes{1ULL << 30};
        ASSERT_TRUE(machine.add_memdev(memdev, access));
    }
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0", "mem1"}}));
    ASSERT_TRUE(machine.write_block_state(BlockIndex{0x100000000 >> 27}, BlockWrite::online_kernel));
    EXPECT_EQ(machine.region("region0")->access.read_latency, Nanoseconds{300});
    EXPECT_EQ(machine.region("region0")->access.write_bandwidth, MegabytesPerSecond{1800});
    // Another card of that name says nothing of itself.
    ASSERT_TRUE(machine.write_block_state(BlockIndex{0x100000000 >> 27}, BlockWrite::offline));
    ASSERT_TRUE(machine.remove_memdev("mem0"));
    ASSERT_TRUE(machine.remove_memdev("mem1"));
    ASSERT_TRUE(machine.remove_region("region0"));
    Memdev other;
    other.name = "mem0";
    other.ram_size = Bytes{1ULL << 30};
    ASSERT_TRUE(machine.add_memdev(other));
    ASSERT_TRUE(machine.add_region({.memdevs = {"mem0"}}));
    ASSERT_TRUE(machine.write_block_state(BlockIndex{0x100000000 >> 27}, BlockWrite::online_kernel));
    EXPECT_EQ(machine.region("region0")->access, AccessCoordinates{});
}

TEST(EmulatedCoordinates, AreCheckedInTheFileAndWritten) {
    const auto shown = parse_machine(pool("{ shown = true }", ""), "m.toml");
    ASSERT_FALSE(shown);
    EXPECT_THAT(to_string(shown.error().front()),
                HasSubstr("m.toml:15:12: error: there is no key \"shown\""));
    const auto large = parse_machine(pool("{ read_latency = 0x100000000 }", ""), "m.toml");
    ASSERT_FALSE(large);
    EXPECT_THAT(to_string(large.error().front()), HasSubstr("m.toml:15:27: error: \"read_latency\""));
    const MachineDescription machine = described(pool(fast, slow));
    EXPECT_EQ(parse_machine(write_machine(machine), "again.toml"), machine);
}

TEST(EmulatedCoordinates, AreInTheRecordAsTheRegionHasThem) {
    const Topology seen = with_a_block_online(pool(fast, slow)).topology();
    const RecordedMachine recorded = recorded_machine(seen);
    EXPECT_THAT(recorded.differences, ElementsAre());
    const Machine replayed{recorded.description, {}};
    EXPECT_EQ(replayed.region("region0")->access, both);
}

}  // namespace
}  // namespace cxlmemd::emulator
