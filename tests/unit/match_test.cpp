#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "policy/decide.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::TopologyBuilder;

constexpr std::string_view absent = "the kernel gives none";

// One 16 GiB device with every fact: two cards interleaved, below decoder0.0, on node 1.
Topology full_machine() {
    TopologyBuilder builder;
    builder.memdev("mem0", 0x2, "0000:0e:00.0").memdev("mem1", 0x1, "0000:0d:00.0");
    Region& region = builder.region("region0", {"mem1", "mem0"});
    region.qos_class = 1;
    region.access.read_latency = Nanoseconds{300};
    DaxDevice& device = builder.dax("dax0.0", 100, std::string(128, '.'));
    device.id.region = "region0";
    device.id.serials = {0x1, 0x2};
    Node& node = builder.node(1);
    node.access = {Nanoseconds{999}, Nanoseconds{350}, MegabytesPerSecond{20000}, MegabytesPerSecond{10000}};
    return builder.build();
}

// A device of which the kernel says nothing but its range.
Topology bare_machine() {
    TopologyBuilder builder;
    builder.dax("dax1.0", 100, "....").kind = DaxKind::hmem;
    return builder.build();
}

std::optional<Mismatch> on(const Topology& topology, const Match& match) {
    return mismatch(topology, topology.dax_devices.front(), match);
}

Match with(const std::function<void(Match&)>& set) {
    Match match;
    set(match);
    return match;
}

const std::uint64_t first_byte = 100 * test::block_128m.value();
const std::uint64_t last_byte = 228 * test::block_128m.value() - 1;

struct Row {
    std::string key;
    std::function<void(Match&)> holds;
    std::function<void(Match&)> fails;
    std::string want;
    std::string seen;
    std::string seen_on_bare{absent};
};

void PrintTo(const Row& row, std::ostream* out) {
    *out << row.key;
}

class MatchKeys : public ::testing::TestWithParam<Row> {};

TEST_P(MatchKeys, HoldsFailsAndSaysWhatItSaw) {
    const Row& row = GetParam();
    EXPECT_EQ(on(full_machine(), with(row.holds)), std::nullopt);
    EXPECT_EQ(on(full_machine(), with(row.fails)), (Mismatch{row.key, row.want, row.seen}));
    EXPECT_EQ(on(bare_machine(), with(row.fails)), (Mismatch{row.key, row.want, row.seen_on_bare}));
}

INSTANTIATE_TEST_SUITE_P(
    Match, MatchKeys,
    ::testing::Values(Row{"kind",
                          [](Match& m) {
                              m.kind = {DaxKind::hmem, DaxKind::cxl_ram};
                          },
                          [](Match& m) {
                              m.kind = {DaxKind::pmem, DaxKind::cxl_pmem};
                          },
                          "pmem or cxl-pmem", "cxl-ram", "hmem"},
                      Row{"memdev_serial",
                          [](Match& m) {
                              m.memdev_serial = {0x3, 0x2, 0x1};
                          },
                          [](Match& m) {
                              m.memdev_serial = {0x1, 0x2a};
                          },
                          "0x1 or 0x2a", "0x1, 0x2"},
                      Row{"memdev_host",
                          [](Match& m) {
                              m.memdev_host = {{"0000:0d:*"}, {"0000:0e:??.0"}};
                          },
                          [](Match& m) { m.memdev_host = {{"0000:0d:*"}}; }, "0000:0d:*",
                          "0000:0d:00.0, 0000:0e:00.0"},
                      Row{"region", [](Match& m) { m.region = {{"region[0-3]"}}; },
                          [](Match& m) {
                              m.region = {{"region1*"}, {"pool"}};
                          },
                          "region1* or pool", "region0"},
                      Row{"root_decoder", [](Match& m) { m.root_decoder = {{"decoder0.*"}}; },
                          [](Match& m) { m.root_decoder = {{"decoder1.*"}}; }, "decoder1.*", "decoder0.0"},
                      Row{"dax", [](Match& m) { m.dax = {{"dax0.*"}}; },
                          [](Match& m) { m.dax = {{"dax9.*"}}; }, "dax9.*", "dax0.0", "dax1.0"},
                      Row{"target_node",
                          [](Match& m) {
                              m.target_node = {NodeId{2}, NodeId{1}};
                          },
                          [](Match& m) {
                              m.target_node = {NodeId{2}, NodeId{3}};
                          },
                          "2 or 3", "1", "1"},
                      Row{"size",
                          [](Match& m) {
                              m.size = {{Comparison::greater_equal, 16 * test::gib}};
                          },
                          [](Match& m) {
                              m.size = {{Comparison::greater, 16 * test::gib}};
                          },
                          "> 16GiB", "16GiB", "512MiB"},
                      Row{"interleave_ways",
                          [](Match& m) {
                              m.interleave_ways = {{Comparison::equal, 2}};
                          },
                          [](Match& m) {
                              m.interleave_ways = {{Comparison::equal, 4}};
                          },
                          "4", "2"},
                      Row{"qos_class",
                          [](Match& m) {
                              m.qos_class = {0, 1};
                          },
                          [](Match& m) { m.qos_class = {0}; }, "0", "1"},
                      Row{"read_latency",
                          [](Match& m) {
                              m.read_latency = {{Comparison::less_equal, 300}};
                          },
                          [](Match& m) {
                              m.read_latency = {{Comparison::less, 300}};
                          },
                          "< 300ns", "300ns"},
                      Row{"write_latency",
                          [](Match& m) {
                              m.write_latency = {{Comparison::less, 400}};
                          },
                          [](Match& m) {
                              m.write_latency = {{Comparison::less, 350}};
                          },
                          "< 350ns", "350ns"},
                      Row{"read_bandwidth",
                          [](Match& m) {
                              m.read_bandwidth = {{Comparison::greater, 10000}};
                          },
                          [](Match& m) {
                              m.read_bandwidth = {{Comparison::greater, 20000}};
                          },
                          "> 20000MB/s", "20000MB/s"},
                      Row{"write_bandwidth",
                          [](Match& m) {
                              m.write_bandwidth = {{Comparison::equal, 10000}};
                          },
                          [](Match& m) {
                              m.write_bandwidth = {{Comparison::greater_equal, 10001}};
                          },
                          ">= 10001MB/s", "10000MB/s"},
                      Row{"phys_range",
                          [](Match& m) {
                              m.phys_range = {{PhysAddr{first_byte}, PhysAddr{last_byte}}};
                          },
                          [](Match& m) {
                              m.phys_range = {{PhysAddr{0}, PhysAddr{0xfffff}}};
                          },
                          "0x0-0xfffff", "0x320000000-0x71fffffff", "0x320000000-0x33fffffff"}),
    [](const auto& row) { return row.param.key; });

TEST(Match, AnEmptyMatchHoldsForEverything) {
    EXPECT_EQ(on(full_machine(), {}), std::nullopt);
    EXPECT_EQ(on(bare_machine(), {}), std::nullopt);
}

TEST(Match, AllKeysMustHoldAndTheFirstThatFailsIsNamed) {
    const Match match = with([](Match& m) {
        m.kind = {DaxKind::cxl_ram};
        m.region = {{"region9"}};
        m.dax = {{"dax9.9"}};
    });
    ASSERT_TRUE(on(full_machine(), match));
    EXPECT_EQ(on(full_machine(), match)->key, "region");
}

TEST(Match, EveryRangeOfTheDeviceMustLieInsideAListedOne) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, "..");
    builder.range(200, "..");
    const auto inclusive = [](std::uint64_t first, std::uint64_t end) {
        return std::pair{PhysAddr{first * test::block_128m.value()},
                         PhysAddr{end * test::block_128m.value() - 1}};
    };
    const Topology topology = builder.build();
    EXPECT_EQ(on(topology, with([&](Match& m) { m.phys_range = {inclusive(100, 202)}; })), std::nullopt);
    EXPECT_EQ(on(topology, with([&](Match& m) {
                     m.phys_range = {inclusive(200, 202), inclusive(90, 110)};
                 })),
              std::nullopt);
    EXPECT_TRUE(on(topology, with([&](Match& m) { m.phys_range = {inclusive(100, 102)}; })));
    EXPECT_TRUE(on(topology, with([&](Match& m) { m.phys_range = {inclusive(100, 201)}; })));
}

TEST(Match, AMemdevThatWasNotSeenMakesNoHostMatch) {
    Topology topology = full_machine();
    topology.memdevs.pop_back();
    const std::optional<Mismatch> why = on(topology, with([](Match& m) { m.memdev_host = {{"*"}}; }));
    ASSERT_TRUE(why);
    EXPECT_EQ(why->seen, absent);
}

}  // namespace
}  // namespace cxlmemd
