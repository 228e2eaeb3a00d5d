// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "policy/decide.h"
#include "policy/host_match.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::TopologyBuilder;

constexpr std::string_view absent = "the kernel reports none";

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

// A window over cards that the firmware set up: hmem devices, and no region of the kernel's.
Topology firmware_machine(std::vector<std::string> cards) {
    TopologyBuilder builder;
    builder.memdev("mem0", 0x1, "0000:0d:00.0").memdev("mem1", 0x2, "0000:0e:00.0");
    builder.dax("dax1.0", 100, "....").kind = DaxKind::hmem;
    Topology out = builder.build();
    for (Memdev& memdev : out.memdevs) memdev.ram_size = Bytes{4 * test::gib};
    RootDecoder root;
    root.name = "decoder0.0";
    root.window = test::range_of(96, 64);
    root.volatile_capable = true;
    root.memdevs = std::move(cards);
    out.root_decoders = {root};
    return out;
}

TEST(Match, HmemDeviceIsPlacedByItsAddresses) {
    const Topology topology = firmware_machine({"mem1"});
    Match match;
    match.memdev_serial = {0x2};
    match.memdev_host = {{"0000:0e:*"}};
    match.root_decoder = {{"decoder0.0"}};
    match.backed_by = {Backing::cxl};
    EXPECT_EQ(on(topology, match), std::nullopt);
    match.memdev_serial = {0x1};
    EXPECT_EQ(on(topology, match), (Mismatch{"memdev_serial", "0x1", "0x2"}));
}

TEST(Match, HmemDeviceOnOneOfSeveralCardsIsOnNoneForCertain) {
    Topology topology = firmware_machine({"mem0", "mem1"});
    Match match;
    match.memdev_serial = {0x1, 0x2};
    EXPECT_EQ(on(topology, match),
              (Mismatch{"memdev_serial", "0x1 or 0x2",
                        "not known: it may be on any of mem0, mem1; phys_range tells such memory apart"}));
    match.memdev_serial.clear();
    match.backed_by = {Backing::cxl};
    EXPECT_EQ(on(topology, match), std::nullopt);
    // A region that the kernel knows there says which cards it is on.
    Region region;
    region.name = "region3";
    region.memdevs = {"mem1", "mem0"};
    region.interleave_ways = 2;
    region.root_decoder = "decoder0.0";
    region.resource = test::range_of(100, 4).start;
    region.size = test::range_of(100, 4).size;
    topology.regions = {region};
    match.memdev_serial = {0x1, 0x2};
    match.region = {{"region3"}};
    match.interleave_ways = {Compare{Comparison::equal, 2}};
    EXPECT_EQ(on(topology, match), std::nullopt);
    match.memdev_serial = {0x1};
    EXPECT_EQ(on(topology, match), (Mismatch{"memdev_serial", "0x1", "0x2, 0x1"}));
}

TEST(Match, FirmwareOfEveryCardFits) {
    Topology topology = full_machine();
    Match match;
    match.firmware = {{"1.2.*"}};
    topology.memdevs[0].firmware = "1.2.3";
    EXPECT_EQ(on(topology, match),
              (Mismatch{"firmware", "1.2.*", std::string{absent}}));  // of the other card
    topology.memdevs[1].firmware = "1.2.4";
    EXPECT_EQ(on(topology, match), std::nullopt);
    topology.memdevs[1].firmware = "1.3";
    EXPECT_EQ(on(topology, match), (Mismatch{"firmware", "1.2.*", "1.3, 1.2.3"}));
}

TEST(Match, HmemDeviceInARegionWithACardThatIsNotSeenIsOnNoneForCertain) {
    Topology topology = firmware_machine({"mem0", "mem1"});
    Region region;
    region.name = "region3";
    region.memdevs = {"mem0", "mem7"};
    region.resource = test::range_of(100, 4).start;
    region.size = test::range_of(100, 4).size;
    topology.regions = {region};
    Match match;
    match.memdev_serial = {0x1};
    EXPECT_EQ(on(topology, match), (Mismatch{"memdev_serial", "0x1", std::string{absent}}));
}

TEST(Match, BackedByCxlTakesWholeMemoryAndKnownWindows) {
    Match match;
    match.backed_by = {Backing::cxl};
    EXPECT_EQ(on(full_machine(), match), std::nullopt);  // of kind cxl-ram, whatever is known of windows
    EXPECT_EQ(on(bare_machine(), match), (Mismatch{"backed_by", "cxl", "covered by no CXL window"}));
    Topology topology = firmware_machine({"mem0"});
    topology.root_decoders[0].window = test::range_of(96, 6);  // half of the device
    EXPECT_EQ(on(topology, match)->seen, "covered by no CXL window");
    topology.root_decoders[0].window = {};
    EXPECT_THAT(on(topology, match)->seen, ::testing::HasSubstr("does not say where a CXL window lies"));
}

TEST(Match, AsksWhichMachineItIs) {
    Topology topology = full_machine();
    topology.host = {"db7.example", "0123abcd", "kvm", "6.12.95+deb13-amd64", "American Megatrends", "X13"};
    const auto with_all = [] {
        Match match;
        match.host = {{"web*"}, {"db?.*"}};
        match.virtualization = {"container", "vm"};
        match.kernel_version = {">= 6.12 < 7.1"};
        match.firmware_vendor = {{"American*"}};
        match.product = {{"X1[23]"}};
        return match;
    };
    EXPECT_EQ(on(topology, with_all()), std::nullopt);
    Match match = with_all();
    match.host = {{"0123abcd"}};  // the machine ID
    EXPECT_EQ(on(topology, match), std::nullopt);
    match.host = {{"web*"}};
    EXPECT_EQ(on(topology, match), (Mismatch{"host", "web*", "db7.example"}));
    match = with_all();
    match.virtualization = {"no"};
    EXPECT_EQ(on(topology, match), (Mismatch{"virtualization", "no", "kvm"}));
    match = with_all();
    match.kernel_version = {"< 6.12"};
    EXPECT_EQ(on(topology, match), (Mismatch{"kernel_version", "< 6.12", "6.12.95+deb13-amd64"}));
    match = with_all();
    match.firmware_vendor = {{"Dell*"}};
    EXPECT_EQ(on(topology, match)->key, "firmware_vendor");
    match = with_all();
    match.product = {{"X12"}};
    EXPECT_EQ(on(topology, match)->key, "product");
    // What is not known fits nothing, not even its opposite.
    topology.host = {};
    match = {};
    match.virtualization = {"!kvm"};
    EXPECT_EQ(on(topology, match), (Mismatch{"virtualization", "!kvm", "not known"}));
}

TEST(HostMatch, VirtualizationIsAsSystemdHasIt) {
    EXPECT_TRUE(fits_virtualization("no", "none"));
    EXPECT_TRUE(fits_virtualization("yes", "docker"));
    EXPECT_TRUE(fits_virtualization("container", "docker"));
    EXPECT_FALSE(fits_virtualization("vm", "docker"));
    EXPECT_TRUE(fits_virtualization("!vm", "none"));
    EXPECT_TRUE(fits_virtualization("none", "none"));
    EXPECT_FALSE(fits_virtualization("kvm", "qemu"));
}

TEST(HostMatch, KernelVersionsAreComparedByTheirNumbers) {
    const char* now = "6.12.95+deb13-amd64";
    for (const char* holds : {">= 6.12", ">=6.12.95", "<= 6.12.95", "> 6.9", "< 6.100", "!= 6.12", "6.12.*",
                              "= 6.12.95", ">= 6.6 < 7"})
        EXPECT_TRUE(fits_kernel_version(holds, now)) << holds;
    for (const char* fails : {"> 6.12.95", "= 6.12", "6.12", "< 6.12", ">= 7 < 6.6"})
        EXPECT_FALSE(fits_kernel_version(fails, now)) << fails;
    // A candidate comes before its release.
    EXPECT_TRUE(fits_kernel_version("< 7.1", "7.1.0-rc3-cloud"));
    EXPECT_TRUE(fits_kernel_version(">= 7.1-rc2", "7.1.0-rc3"));
    EXPECT_TRUE(fits_kernel_version(">= 7.1", "7.1.0"));
    EXPECT_FALSE(parse_kernel_version(">= six"));
    EXPECT_FALSE(parse_kernel_version(">= 6.12 7"));
    EXPECT_FALSE(parse_virtualization("kvn"));
}

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
