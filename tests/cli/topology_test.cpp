// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/blocks.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

const Paint plain(false);
constexpr std::uint64_t gib = 1ULL << 30U;

Object object(Kind kind, const std::string& name, json more) {
    more["Name"] = name;
    return make_object(path_of(kind, name), kind, more);
}

Objects machine() {
    const auto card = [](const char* name, const char* host) {
        return object(Kind::memdev, name, {{"Host", host}, {"RamSize", 16 * gib}, {"Serial", 1}});
    };
    return {card("mem0", "0000:0d:00.0"),
            card("mem1", "0000:e2:00.0"),
            object(Kind::region, "region0",
                   {{"Size", 16 * gib},
                    {"Type", "ram"},
                    {"RootDecoder", "decoder0.0"},
                    {"Memdevs", {path_of(Kind::memdev, "mem0")}},
                    {"DaxDevices", {path_of(Kind::dax, "dax0.0")}}}),
            object(Kind::decoder, "decoder0.0",
                   {{"Size", 32 * gib},
                    {"Free", 16 * gib},
                    {"Targets", {"pci0000:0c", "pci0000:e0"}},
                    {"Memdevs", {path_of(Kind::memdev, "mem0"), path_of(Kind::memdev, "mem1")}},
                    {"Volatile", true}}),
            object(Kind::dax, "dax0.0",
                   {{"Size", 16 * gib},
                    {"Kind", "cxl-ram"},
                    {"Mode", "system-ram"},
                    {"State", "online"},
                    {"Zone", "movable"},
                    {"TargetNode", 1}}),
            object(Kind::node, "node1", {{"BytesOnline", 16 * gib}, {"Tier", 22}, {"ReadLatency", 300}})};
}

TEST(Topology, DrawsTreesInAsciiAndInLines) {
    EXPECT_EQ(topology_text(machine_of(machine()), 80, true, plain),
              "Host bridges, and the cards below them\n"
              "pci0000:0c  host bridge\n"
              "`- mem0  0000:0d:00.0  16 GiB ram  serial 0x1  at node0\n"
              "pci0000:e0  host bridge\n"
              "`- mem1  0000:e2:00.0  16 GiB ram  serial 0x1  at node0\n"
              "\n"
              "Windows, and what is made in them\n"
              "decoder0.0  32 GiB  16 GiB free  ram  through pci0000:0c, pci0000:e0\n"
              "`- region0  16 GiB ram  on mem0\n"
              "   `- dax0.0  16 GiB cxl-ram  online  movable  -> node1\n"
              "\n"
              "Nodes\n"
              "node1  16 GiB  no CPU  tier 22  300 ns\n");
    EXPECT_THAT(topology_text(machine_of(machine()), 80, false, plain), HasSubstr("└─ region0"));
}

TEST(Topology, FoldsAtTheWidthAndCutsNothing) {
    Objects objects = machine();
    objects.push_back(object(Kind::dax, "dax9.0",
                             {{"LastError",
                               {{"name", "E"},
                                {"message",
                                 "memory block 17: offline: EBUSY, pages that "
                                 "cannot be moved keep it online"}}}}));
    for (const std::size_t columns : {80U, 60U, 200U}) {
        const std::string text = topology_text(machine_of(objects), columns, false, plain);
        std::istringstream lines(text);
        std::string words;
        for (std::string line; std::getline(lines, line);) {
            EXPECT_LE(width(line), columns) << line;
            std::istringstream in(line);
            for (std::string word; in >> word;) words += word + " ";
        }
        EXPECT_THAT(words, HasSubstr("EBUSY, pages that cannot be moved keep it online"));
    }
}

TEST(Topology, KnowsABridgeByItsOwnWindowOrTheNearestBus) {
    Objects objects = machine();
    objects.push_back(object(Kind::decoder, "decoder0.1",
                             {{"Targets", {"pci0000:e0"}}, {"Memdevs", {path_of(Kind::memdev, "mem0")}}}));
    const Machine found = machine_of(objects);
    const auto bridge_above = [&](const std::string& card) {
        for (const Link& link : found.links) {
            if (found.parts[link.to].title == card && found.parts[link.from].kind == Part::Kind::bridge)
                return found.parts[link.from].title;
        }
        return std::string("none");
    };
    EXPECT_EQ(bridge_above("mem0"), "pci0000:e0");
    EXPECT_EQ(bridge_above("mem1"), "pci0000:e0");
}

TEST(Topology, DashesWindowsThatACardDoesNotUse) {
    std::size_t possible = 0;
    const Machine found = machine_of(machine());
    for (const Link& link : found.links) {
        if (!link.possible_only) continue;
        ++possible;
        EXPECT_EQ(found.parts[link.from].title, "mem1");
    }
    EXPECT_EQ(possible, 1U);
    EXPECT_THAT(topology_svg(found), HasSubstr("dashed: "));
}

TEST(Topology, IsOneFileThatNothingCanBreakOutOf) {
    Objects objects = machine();
    objects.push_back(object(Kind::dax, "</text><script>&\"'\x1b", {{"Rule", "<img src=x>"}}));
    const std::string svg = topology_svg(machine_of(objects));
    EXPECT_THAT(svg, HasSubstr("&lt;/text&gt;&lt;script&gt;&amp;&quot;&#39;\\x1b"));
    EXPECT_THAT(svg, Not(HasSubstr("<script")));
    EXPECT_THAT(svg, Not(HasSubstr("<img")));
    for (const char* outside : {"href", "@import", "url(", "font-face"})
        EXPECT_THAT(svg, Not(HasSubstr(outside)));
    EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
}

TEST(Topology, BearsPropertiesThatAreMissingOrOfAnotherType) {
    Objects odd;
    for (const Kind kind : all_kinds) {
        odd.push_back(
            make_object(path_of(kind, "x"), kind, {{"Size", "many"}, {"Targets", 7}, {"TargetNode", "1"}}));
        odd.push_back(make_object(path_of(kind, "y"), kind, json::object()));
    }
    const Machine found = machine_of(odd);
    EXPECT_NO_THROW((void)topology_text(found, 80, false, plain));
    EXPECT_NO_THROW((void)topology_svg(found));
    EXPECT_THAT(topology_svg(machine_of({})), HasSubstr("</svg>"));
}

constexpr const char* record = R"(block_size = "128MiB"
[[dax]]
name = "dax0.0"
ranges = [{ start = 0x4000000, size = "832MiB" }, { start = 0x80000000, size = "256MiB" }]
blocks = { offline = "1", kernel = "2-3", movable = "4,16-17" }
[[dax]]
name = "dax1.0"
ranges = [{ start = 0x0, size = "256MiB" }]
blocks = "movable"
)";

TEST(Blocks, AreDrawnByStateWithHoles) {
    // Blocks 1 to 6 and 16, 17; of the ranges here the same shape, elsewhere.
    const json ranges = {{{"start", 0x104000000}, {"length", 832U << 20U}},
                         {{"start", 0x180000000}, {"length", 256U << 20U}}};
    const auto map = blocks_of(record, "dax0.0", ranges);
    ASSERT_TRUE(map) << map.error().message;
    EXPECT_EQ(blocks_view("dax0.0", *map, plain),
              "dax0.0: 8 blocks of 128 MiB: 3 movable (M), 2 kernel (K), 1 offline (.), 2 absent (-)\n"
              "  N of /sys/devices/system/memory/memoryN\n"
              "  33  .KKM--\n"
              "  48  MM\n");
    EXPECT_EQ(blocks_json(*map)["Runs"][1], json({{"First", 34}, {"Last", 35}, {"State", "kernel"}}));
}

TEST(Blocks, AreCountedFromTheDeviceWhereAddressesAreRoots) {
    const auto map = blocks_of(record, "dax1.0", json::array());
    ASSERT_TRUE(map);
    EXPECT_THAT(blocks_view("dax1.0", *map, plain), HasSubstr("  0  MM\n"));
    EXPECT_EQ(blocks_json(*map)["Numbered"], false);
}

TEST(Blocks, OfManyTheRunsAreShown) {
    const auto map = blocks_of(
        "block_size = \"2MiB\"\n[[dax]]\nname = \"a\"\nranges = [{ start = 0x0, size = \"64GiB\" }]\n"
        "blocks = { movable = \"0-32766\", offline = \"32767\" }\n",
        "a", json::array());
    ASSERT_TRUE(map);
    EXPECT_THAT(blocks_view("a", *map, plain), HasSubstr("  0-32766  movable\n  32767-32767  offline\n"));
}

TEST(Blocks, OfARecordThatIsNoneAreAnError) {
    for (const char* text :
         {"", "x", "block_size = 1\n", "block_size = \"128MiB\"\n[[dax]]\nname = \"other\"\n"}) {
        EXPECT_FALSE(blocks_of(text, "dax0.0", json::array())) << text;
    }
    EXPECT_TRUE(blocks_of("block_size = \"128MiB\"\n[[dax]]\nname = \"a\"\nblocks = { movable = \"9-,x\" }\n",
                          "a", json::array()));
}

}  // namespace
}  // namespace cxlmemctl
