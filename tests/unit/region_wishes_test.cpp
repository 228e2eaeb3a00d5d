// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/region_wishes.h"

#include <gmock/gmock.h>

#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::gib;
using test::mib;
using testing::HasSubstr;

constexpr std::uint64_t window_start = 0x1000000000;

// Two cards of 4 GiB below decoder0.0, which has 64 GiB, and nothing made of them.
Topology machine() {
    Topology out;
    out.block_size = test::block_128m;
    out.features.region_create = true;
    for (const std::uint64_t serial : {1U, 2U}) {
        Memdev card;
        card.name = "mem" + std::to_string(serial - 1);
        card.serial = serial;
        card.ram_size = Bytes{4 * gib};
        card.generation = 10 + serial;
        out.memdevs.push_back(card);
    }
    RootDecoder root;
    root.name = "decoder0.0";
    root.window = {PhysAddr{window_start}, Bytes{64 * gib}};
    root.volatile_capable = true;
    root.memdevs = {"mem0", "mem1"};
    out.root_decoders.push_back(root);
    return out;
}

RegionWish wish(std::vector<std::uint64_t> serials, std::optional<Bytes> size = std::nullopt) {
    RegionWish out;
    out.name = "pool";
    out.place = {"p.toml", 3, 1};
    out.memdev_serial = std::move(serials);
    out.size = size;
    return out;
}

Region& add_region(Topology& topology, std::vector<std::string> memdevs, Bytes size,
                   std::uint64_t offset = 0) {
    Region region;
    region.name = "region" + std::to_string(topology.regions.size());
    region.memdevs = std::move(memdevs);
    region.interleave_ways = static_cast<std::uint32_t>(region.memdevs.size());
    region.interleave_granularity = 256;
    region.size = size;
    region.resource = PhysAddr{window_start + offset};
    region.root_decoder = "decoder0.0";
    topology.regions.push_back(region);
    return topology.regions.back();
}

std::vector<RegionDecision> decide(const Topology& topology, std::vector<RegionWish> wishes,
                                   const RemovedRegions& removed = {}) {
    Policy policy;
    policy.regions = std::move(wishes);
    return decide_regions(topology, policy, removed);
}

RegionDecision one(const Topology& topology, RegionWish wish) {
    return decide(topology, {std::move(wish)}).front();
}

void expect_blocked(const RegionDecision& decision, const char* why) {
    EXPECT_EQ(decision.verdict, RegionVerdict::blocked);
    EXPECT_EQ(decision.setup, std::nullopt);
    EXPECT_THAT(decision.reason, HasSubstr(why));
}

TEST(RegionWishes, RegionThatIsNotThereIsMadeInTheOrderOfTheSerials) {
    const RegionDecision out = one(machine(), wish({2, 1}));
    ASSERT_EQ(out.verdict, RegionVerdict::create) << out.reason;
    EXPECT_EQ(out.setup->root_decoder, "decoder0.0");
    EXPECT_EQ(out.setup->size, Bytes{8 * gib});
    ASSERT_EQ(out.setup->members.size(), 2U);
    EXPECT_EQ(out.setup->members[0], (RegionSetup::Member{"mem1", 12}));
    EXPECT_EQ(out.setup->members[1], (RegionSetup::Member{"mem0", 11}));
}

TEST(RegionWishes, RegionThatIsThereIsNotMadeAgain) {
    Topology topology = machine();
    add_region(topology, {"mem0", "mem1"}, Bytes{8 * gib});
    const RegionDecision out = one(topology, wish({1, 2}));
    EXPECT_EQ(out.verdict, RegionVerdict::there);
    EXPECT_EQ(out.region, "region0");
}

TEST(RegionWishes, RegionThatDiffersIsSaidAndLeft) {
    const auto differs = [](const char* why, RegionWish wanted, auto change) {
        Topology topology = machine();
        change(add_region(topology, {"mem0", "mem1"}, Bytes{4 * gib}));
        const RegionDecision out = one(topology, std::move(wanted));
        EXPECT_EQ(out.verdict, RegionVerdict::differs) << why;
        EXPECT_THAT(out.reason, HasSubstr(why));
    };
    const auto nothing = [](Region&) {};
    differs("4GiB, not 8GiB", wish({1, 2}, Bytes{8 * gib}), nothing);
    differs("in the order 0x1, 0x2", wish({2, 1}), nothing);
    RegionWish fine = wish({1, 2});
    fine.interleave_granularity = 256;
    differs("interleave_granularity is 512, not 256", fine,
            [](Region& region) { region.interleave_granularity = 512; });
    differs("type pmem, not ram", wish({1, 2}), [](Region& region) { region.type = RegionType::pmem; });
    RegionWish elsewhere = wish({1, 2});
    elsewhere.root_decoder = "decoder0.1";
    differs("on decoder0.0, not decoder0.1", elsewhere, nothing);
}

TEST(RegionWishes, RegionOnTheWrongNodeIsSaid) {
    Topology topology = machine();
    add_region(topology, {"mem0"}, Bytes{4 * gib});
    DaxDevice dax;
    dax.id.name = "dax0.0";
    dax.id.region = "region0";
    dax.target_node = NodeId{3};
    topology.dax_devices.push_back(dax);
    RegionWish wanted = wish({1});
    wanted.node = NodeId{2};
    EXPECT_THAT(one(topology, wanted).reason, HasSubstr("on node 3, not 2"));
    // And where regions of the decoder land is known by then.
    RegionWish other = wish({2});
    other.node = NodeId{2};
    expect_blocked(one(topology, other), "memory of decoder0.0 is on node 3");
    other.node = NodeId{3};
    EXPECT_EQ(one(topology, other).verdict, RegionVerdict::create);
}

TEST(RegionWishes, MissingCardsAreNamed) {
    expect_blocked(one(machine(), wish({1, 7})), "waits for serial 0x7");
    expect_blocked(one(machine(), wish({7, 8})), "serials 0x7, 0x8");
}

TEST(RegionWishes, TwoTablesOnOneCardGetARegionEach) {
    RegionWish first = wish({1}, Bytes{gib});
    RegionWish second = wish({1});
    second.name = "rest";
    Topology topology = machine();
    const auto both = decide(topology, {first, second});
    ASSERT_EQ(both[1].verdict, RegionVerdict::create);
    EXPECT_EQ(both[1].setup->size, Bytes{3 * gib});
    // The larger one was made first: each table finds its own.
    add_region(topology, {"mem0"}, Bytes{3 * gib});
    add_region(topology, {"mem0"}, Bytes{gib}, 3 * gib);
    const auto again = decide(topology, {first, second});
    EXPECT_EQ(again[0].region, "region1");
    EXPECT_EQ(again[1].region, "region0");
    EXPECT_EQ(again[1].verdict, RegionVerdict::there);
}

TEST(RegionWishes, CapacityThatOthersHoldIsNotPlannedWith) {
    Topology topology = machine();
    add_region(topology, {"mem0", "mem1"}, Bytes{4 * gib});
    EXPECT_EQ(one(topology, wish({1})).setup->size, Bytes{2 * gib});
    expect_blocked(one(topology, wish({1}, Bytes{4 * gib})),
                   "mem0 has only 2GiB free, where 4GiB would take 4GiB");
    add_region(topology, {"mem0", "mem1"}, Bytes{4 * gib}, 8 * gib);
    expect_blocked(one(topology, wish({1})), "mem0 has no memory of type ram free");
}

TEST(RegionWishes, MaxIsRoundedToWhatDecodersTake) {
    Topology topology = machine();
    topology.memdevs[0].ram_size = Bytes{gib + 100 * mib};
    EXPECT_EQ(one(topology, wish({1, 2})).setup->size, Bytes{2 * gib});
}

TEST(RegionWishes, WindowWithoutRoomIsSaidOrMaxTakesWhatIsLeft) {
    Topology topology = machine();
    topology.root_decoders[0].window.size = Bytes{6 * gib};
    EXPECT_EQ(one(topology, wish({1, 2})).setup->size, Bytes{6 * gib});
    expect_blocked(one(topology, wish({1, 2}, Bytes{8 * gib})),
                   "decoder0.0 has only 6GiB left in one piece, not 8GiB");
}

TEST(RegionWishes, RootDecoderIsOneThatCanHoldIt) {
    Topology topology = machine();
    RootDecoder pmem = topology.root_decoders[0];
    pmem.name = "decoder0.1";
    topology.root_decoders[0].volatile_capable = false;
    topology.root_decoders.push_back(pmem);
    EXPECT_EQ(one(topology, wish({1})).setup->root_decoder, "decoder0.1");
    RegionWish named = wish({1});
    named.root_decoder = "decoder0.0";
    expect_blocked(one(topology, named), "decoder0.0 takes no memory of type ram");
    named.root_decoder = "decoder0.7";
    expect_blocked(one(topology, named), "there is no root decoder decoder0.7");
    topology.root_decoders[1].memdevs = {"mem1"};
    expect_blocked(one(topology, wish({1})), "decoder0.1 does not lead to mem0");
}

TEST(RegionWishes, RootThatInterleavesHasTheSayOverWaysAndGranularity) {
    Topology topology = machine();
    topology.root_decoders[0].interleave_ways = 2;
    topology.root_decoders[0].interleave_granularity = 1024;
    expect_blocked(one(topology, wish({1})), "over 2 host bridges");
    RegionWish fixed = wish({1, 2});
    fixed.interleave_granularity = 256;
    expect_blocked(one(topology, fixed), "granularity of 1024, not 256");
    fixed.interleave_granularity = 1024;
    EXPECT_EQ(one(topology, fixed).verdict, RegionVerdict::create);
    // One that is not written is the root's, and is compared with nothing.
    const RegionDecision unwritten = one(topology, wish({1, 2}));
    ASSERT_EQ(unwritten.verdict, RegionVerdict::create) << unwritten.reason;
    EXPECT_EQ(unwritten.setup->interleave_granularity, 1024U);
    add_region(topology, {"mem0", "mem1"}, Bytes{8 * gib}).interleave_granularity = 1024;
    EXPECT_EQ(one(topology, wish({1, 2})).verdict, RegionVerdict::there);
}

// Four cards, two below each of two host bridges.
Topology two_bridges() {
    Topology out = machine();
    for (const std::uint64_t serial : {3U, 4U}) {
        Memdev card = out.memdevs.front();
        card.name = "mem" + std::to_string(serial - 1);
        card.serial = serial;
        card.generation = 10 + serial;
        out.memdevs.push_back(card);
    }
    for (Memdev& card : out.memdevs) card.bridge = card.serial < 3 ? "pci0000:0c" : "pci0000:e0";
    RootDecoder& root = out.root_decoders.front();
    root.memdevs = {"mem0", "mem1", "mem2", "mem3"};
    root.targets = {"pci0000:0c", "pci0000:e0"};
    root.interleave_ways = 2;
    root.interleave_granularity = 8192;
    return out;
}

TEST(RegionWishes, OrderThatTheKernelRefusesIsRefusedWithOneThatWorks) {
    const Topology topology = two_bridges();
    const RegionDecision out = one(topology, wish({1, 2, 3, 4}));
    expect_blocked(out, "position 1 of decoder0.0 has to be below pci0000:e0, and mem1 is below pci0000:0c");
    EXPECT_THAT(out.reason, HasSubstr("an order that works: \"0x1\", \"0x3\", \"0x2\", \"0x4\""));
    EXPECT_FALSE(out.waits);
    EXPECT_EQ(one(topology, wish({1, 3, 2, 4})).verdict, RegionVerdict::create);
    EXPECT_EQ(one(topology, wish({2, 4})).verdict, RegionVerdict::create);
    expect_blocked(one(topology, wish({4, 2})), "an order that works: \"0x2\", \"0x4\"");
    expect_blocked(one(topology, wish({1, 2})), "as many cards from below each of its host bridges");
}

TEST(RegionWishes, OrderIsNotJudgedWhereABridgeIsNotKnown) {
    Topology topology = two_bridges();
    topology.memdevs[2].bridge.clear();
    EXPECT_EQ(one(topology, wish({1, 2, 3, 4})).verdict, RegionVerdict::create);
}

TEST(RegionWishes, WhatTheLargestRegionLeavesUnusedIsSaid) {
    Topology topology = machine();
    topology.memdevs[0].ram_size = Bytes{16 * gib};
    topology.root_decoders[0].window.size = Bytes{4 * gib};
    const RegionDecision made = one(topology, wish({1}));
    ASSERT_EQ(made.verdict, RegionVerdict::create);
    EXPECT_EQ(made.setup->size, Bytes{4 * gib});
    EXPECT_THAT(made.reason,
                HasSubstr("12GiB of the card stay unused: decoder0.0 has nothing left in one piece"));
    // It is said of the region that is there as well.
    add_region(topology, {"mem0"}, Bytes{4 * gib});
    const RegionDecision there = one(topology, wish({1}));
    ASSERT_EQ(there.verdict, RegionVerdict::there);
    EXPECT_THAT(there.reason, HasSubstr("12GiB of the card stay unused"));
    // Not where a size was asked for, nor where all is used.
    EXPECT_EQ(one(topology, wish({1}, Bytes{4 * gib})).reason, "region0 is the region");
    topology.memdevs[0].ram_size = Bytes{4 * gib};
    EXPECT_EQ(one(topology, wish({1})).reason, "region0 is the region");
}

TEST(RegionWishes, CardsOfDifferentSizesGiveAsMuchAsTheSmallest) {
    Topology topology = machine();
    topology.memdevs[0].ram_size = Bytes{16 * gib};
    EXPECT_THAT(
        one(topology, wish({1, 2})).reason,
        HasSubstr("12GiB of the cards stay unused: each card gives as much as mem1, which has least"));
}

TEST(RegionWishes, OnlyWhatNoCardIsThereForWaits) {
    EXPECT_TRUE(one(machine(), wish({7})).waits);
    Topology topology = machine();
    topology.features.region_create = false;
    EXPECT_FALSE(one(topology, wish({1})).waits);
}

TEST(RegionWishes, KernelThatCannotCreateRegionsIsSaid) {
    Topology topology = machine();
    topology.features.region_create = false;
    expect_blocked(one(topology, wish({1})), "this kernel cannot create volatile regions");
    topology.root_decoders.clear();
    expect_blocked(one(topology, wish({1})), "no root decoder");
}

TEST(RegionWishes, WhatAnAdministratorRemovedStaysAway) {
    const auto out = decide(machine(), {wish({2, 1}), wish({1})}, {{CardKey{1, ""}, CardKey{2, ""}}});
    EXPECT_EQ(out[0].verdict, RegionVerdict::removed);
    EXPECT_EQ(out[1].verdict, RegionVerdict::create);
}

// Four cards that all report serial 0, two below each window.
Topology serial_zero() {
    Topology out = machine();
    out.memdevs.clear();
    for (const char* host : {"0000:d3:00.0", "0000:d4:00.0", "0000:a9:00.0", "0000:aa:00.0"}) {
        Memdev card;
        card.name = "mem" + std::to_string(out.memdevs.size());
        card.host = host;
        card.ram_size = Bytes{4 * gib};
        card.generation = 20 + out.memdevs.size();
        out.memdevs.push_back(card);
    }
    out.root_decoders[0].memdevs = {"mem0", "mem1", "mem2", "mem3"};
    return out;
}

RegionWish by_hosts(std::vector<std::string> hosts, std::vector<std::uint64_t> serials = {}) {
    RegionWish out = wish(std::move(serials));
    out.memdev_host = std::move(hosts);
    return out;
}

TEST(RegionWishes, SerialThatSeveralCardsCarryNamesNoneOfThem) {
    expect_blocked(one(serial_zero(), wish({0})),
                   "serial 0x0 is on 4 cards: 0000:d3:00.0, 0000:d4:00.0, 0000:a9:00.0, 0000:aa:00.0: name "
                   "them by memdev_host");
    // Nor is a region on one of them the table's.
    Topology topology = serial_zero();
    add_region(topology, {"mem2"}, Bytes{4 * gib});
    const RegionDecision out = one(topology, wish({0}));
    expect_blocked(out, "serial 0x0 is on 4 cards");
    EXPECT_EQ(out.region, "");
    // Nor two cards of any other serial.
    Topology twins = machine();
    twins.memdevs[0].host = "0000:0d:00.0";
    twins.memdevs[1].host = "0000:0e:00.0";
    twins.memdevs[1].serial = 1;
    expect_blocked(one(twins, wish({1})), "serial 0x1 is on 2 cards: 0000:0d:00.0, 0000:0e:00.0");
}

TEST(RegionWishes, HostsNameCardsInInterleaveOrder) {
    const RegionDecision out = one(serial_zero(), by_hosts({"0000:a9:00.0", "0000:d3:00.0"}));
    ASSERT_EQ(out.verdict, RegionVerdict::create) << out.reason;
    EXPECT_EQ(out.setup->members[0], (RegionSetup::Member{"mem2", 22}));
    EXPECT_EQ(out.setup->members[1], (RegionSetup::Member{"mem0", 20}));
    EXPECT_THAT(out.reason, HasSubstr("hosts 0000:a9:00.0, 0000:d3:00.0"));
    EXPECT_EQ(one(serial_zero(), by_hosts({"0000:aa:00.0"}, {0})).setup->members[0].memdev, "mem3");
    expect_blocked(one(serial_zero(), by_hosts({"0000:aa:00.0"}, {7})),
                   "waits for host 0000:aa:00.0 (serial 0x7): no memdev has it");
    expect_blocked(one(serial_zero(), by_hosts({"0000:0d:00.0", "0000:aa:00.0"})),
                   "waits for host 0000:0d:00.0: no memdev has it");
}

TEST(RegionWishes, RegionsOfCardsWithOneSerialAreToldApart) {
    Topology topology = serial_zero();
    add_region(topology, {"mem1", "mem0"}, Bytes{8 * gib});
    EXPECT_EQ(one(topology, by_hosts({"0000:d4:00.0", "0000:d3:00.0"})).verdict, RegionVerdict::there);
    const RegionDecision other = one(topology, by_hosts({"0000:d3:00.0", "0000:d4:00.0"}));
    EXPECT_EQ(other.verdict, RegionVerdict::differs);
    EXPECT_THAT(other.reason, HasSubstr("in the order 0000:d4:00.0, 0000:d3:00.0"));
    EXPECT_EQ(one(topology, by_hosts({"0000:a9:00.0"})).verdict, RegionVerdict::create);
}

TEST(RegionWishes, OneOfSeveralCardsWithOneSerialIsRemovedOrPulledAlone) {
    const Topology topology = serial_zero();
    const RegionWish first = by_hosts({"0000:d3:00.0"});
    const RegionWish second = by_hosts({"0000:d4:00.0"});
    const auto removed = decide(topology, {first, second}, {{CardKey{0, "0000:d3:00.0"}}});
    EXPECT_EQ(removed[0].verdict, RegionVerdict::removed);
    EXPECT_EQ(removed[1].verdict, RegionVerdict::create);
    auto decisions = decide(topology, {first, second});
    keep_off_cards(decisions, topology, {{CardKey{0, "0000:d4:00.0"}, CardState::ready}});
    EXPECT_EQ(decisions[0].verdict, RegionVerdict::create);
    expect_blocked(decisions[1], "mem1 (serial 0x0 at 0000:d4:00.0) is prepared for its removal");
}

TEST(RegionWishes, RegionThatLostACardIsNoLongerTheOne) {
    Topology topology = machine();
    Region& region = add_region(topology, {"mem0", "mem1"}, Bytes{8 * gib});
    region.memdevs = {"mem1"};  // the kernel leaves it behind, with two ways
    EXPECT_EQ(one(topology, wish({1, 2})).region, "");
    EXPECT_EQ(one(topology, wish({2})).region, "");
}

}  // namespace
}  // namespace cxlmemd
