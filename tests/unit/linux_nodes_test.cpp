// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/nodes.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "backends/linux/zoneinfo.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

constexpr const char* two_nodes = R"(Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 1234
  pages free     3968
        boost    0
        spanned  4095
        present  3998
        managed  3968
Node 0, zone   Normal
  pages free     400000
        present  524288
Node 0, zone  Movable
        present  0
Node 0, zone   Device
        present  777
Node 1, zone   Normal
        present  32768
Node 1, zone  Movable
        present  65536
)";

std::uint64_t page() {
    return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST(LinuxZoneinfo, AddsUpPresentPagesByNodeAndKindOfZone) {
    const auto zones = parse_zoneinfo(two_nodes);
    ASSERT_EQ(zones.size(), 2U);
    EXPECT_EQ(zones.at(NodeId{0}),
              (ZonePages{.kernel = 3998 + 524288, .movable = 0, .kernel_available = 3968 + 400000}));
    EXPECT_EQ(zones.at(NodeId{1}), (ZonePages{.kernel = 32768, .movable = 65536, .kernel_available = 0}));
}

TEST(LinuxZoneinfo, ReckonsWhatTheKernelZonesCouldStillGive) {
    const auto zones = parse_zoneinfo(
        "Node 0, zone   Normal\n"
        "  pages free     1000\n        low      300\n        present  8000\n"
        "      nr_zone_inactive_file 150\n      nr_zone_active_file 50\n"
        "Node 0, zone  Movable\n"
        "  pages free     9999\n        present  10000\n"
        "Node 1, zone   Normal\n"
        "  pages free     10\n        low      300\n        present  400\n");
    EXPECT_EQ(zones.at(NodeId{0}).kernel_available, 1000U - 300 + 100);
    EXPECT_EQ(zones.at(NodeId{1}).kernel_available, 0U) << "below its watermark";
}

TEST(LinuxZoneinfo, PassesOverWhatMakesNoSense) {
    for (const char* bad :
         {"", "\n\n", "present 5\n", "Node x, zone Normal\n present 5\n", "Node 0 zone Normal\n present 5",
          "Node 0, zone\n present 5", "Node 0, zone Normal\n present -5", "Node 0, zone Normal\n present",
          "Node 0, zone Normal\n present 99999999999999999999999", "Node -1, zone Normal\n present 5\n",
          "Node 0, zone Normal extra\n present 5\n"}) {
        EXPECT_TRUE(parse_zoneinfo(bad).empty()) << bad;
    }
}

TEST(LinuxNodes, AMachineWithoutTheFolderHasNone) {
    const FakeTree tree;
    EXPECT_TRUE(read_nodes(tree.paths(), read_zones(tree.paths())).nodes.empty());
}

TEST(LinuxNodes, AreReadWithWeightAndCoordinates) {
    const FakeTree tree;
    const std::string nodes = "sys/devices/system/node";
    tree.file(nodes + "/has_cpu", "0\n");
    tree.folder(nodes + "/node10");
    tree.folder(nodes + "/node0");
    tree.file(nodes + "/node1/access0/initiators/read_latency", "250\n");
    tree.file(nodes + "/node1/access0/initiators/write_latency", "0\n");
    tree.file(nodes + "/node1/access0/initiators/read_bandwidth", "16000\n");
    tree.file(nodes + "/node1/access1/initiators/read_latency", "999\n");
    tree.file("proc/zoneinfo", two_nodes);
    tree.file("sys/kernel/mm/mempolicy/weighted_interleave/node1", "7\n");

    const auto found = read_nodes(tree.paths(), read_zones(tree.paths())).nodes;
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].id, NodeId{0});
    EXPECT_TRUE(found[0].has_cpu);
    EXPECT_EQ(found[0].interleave_weight, std::nullopt);
    EXPECT_EQ(found[1].id, NodeId{1});
    EXPECT_FALSE(found[1].has_cpu);
    EXPECT_EQ(found[1].bytes_movable, Bytes{65536 * page()});
    EXPECT_EQ(found[1].bytes_kernel, Bytes{32768 * page()});
    EXPECT_EQ(found[1].interleave_weight, 7U);
    EXPECT_EQ(found[1].access.read_latency, Nanoseconds{250});
    EXPECT_EQ(found[1].access.write_latency, std::nullopt) << "0 is: not known";
    EXPECT_EQ(found[1].access.read_bandwidth, MegabytesPerSecond{16000});
    EXPECT_EQ(found[2].id, NodeId{10}) << "by number, not by name";
}

TEST(LinuxNodes, GarbageIsNotKnown) {
    const FakeTree tree;
    const std::string nodes = "sys/devices/system/node";
    tree.file(nodes + "/has_cpu", "zero");
    tree.file(nodes + "/node1/access0/initiators/read_latency", "99999999999");
    tree.folder(nodes + "/node99999999999999");
    tree.folder(nodes + "/nodex");
    tree.file("sys/kernel/mm/mempolicy/weighted_interleave/node1", "256");
    const auto found = read_nodes(tree.paths(), read_zones(tree.paths())).nodes;
    ASSERT_EQ(found.size(), 1U);
    Node nothing;
    nothing.id = NodeId{1};
    EXPECT_EQ(found[0], nothing);
}

}  // namespace cxlmemd
