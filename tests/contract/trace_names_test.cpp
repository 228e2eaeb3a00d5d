// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/trace_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cxlmemd::contract {

namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t MiB = 1ULL << 20;

// One card with a region of eight blocks, from block 16 on, made for the generation-th time.
Topology topology(std::uint64_t generation) {
    Topology out;
    out.block_size = Bytes{128 * MiB};
    Memdev memdev;
    memdev.name = "mem7";
    memdev.serial = 1;
    out.memdevs = {memdev};
    Region region;
    region.name = "region3";
    region.memdevs = {"mem7"};
    region.generation = generation;
    out.regions = {region};
    DaxDevice dax;
    dax.id.name = "dax3.0";
    dax.id.region = "region3";
    dax.id.generation = generation;
    dax.target_node = NodeId{2};
    dax.ranges = {{PhysAddr{16 * 128 * MiB}, Bytes{8 * 128 * MiB}}};
    out.dax_devices = {dax};
    return out;
}

}  // namespace

TEST(TraceNames, AreNoMachinesOwn) {
    TraceNames names;
    static_cast<void>(names.device('A'));
    names.learn(topology(1));
    EXPECT_EQ(names.subject("region3"), "regionA");
    EXPECT_EQ(names.subject("dax_region3"), "dax_regionA");
    EXPECT_EQ(names.subject("dax3.0"), "daxA");
    EXPECT_EQ(names.subject("node2"), "nodeA");
    EXPECT_EQ(names.subject("memory17"), "A[1]");
    EXPECT_EQ(names.subject("memory24"), "memory24") << "none of its blocks";
    EXPECT_EQ(names.subject("memory_tier22"), "memory_tier22") << "its number means something";
}

TEST(TraceNames, TellIncarnationsApart) {
    TraceNames names;
    static_cast<void>(names.device('A'));
    names.learn(topology(1));
    names.learn(topology(1));
    EXPECT_EQ(names.device('A').name(), "A");
    names.learn(topology(2));
    EXPECT_EQ(names.device('A').name(), "A2");
    EXPECT_EQ(names.subject("dax3.0"), "daxA2");
    EXPECT_EQ(names.device('A').old->generation, 1U);
    EXPECT_EQ(names.device('A').old_id->generation, 1U);
}

TEST(TraceNames, WhatIsChanceIsInNoTrace) {
    const KernelEvent region{"bind", "region3"};
    const KernelEvent dax_region{"bind", "dax_region3"};
    const KernelEvent device{"add", "dax3.0"};
    const KernelEvent begin{"add", "dax_region3"};
    EXPECT_THAT(without_chance({begin, device, region, dax_region}),
                ElementsAre(begin, region, device, dax_region));
    EXPECT_THAT(without_chance({begin, region, device, dax_region}),
                ElementsAre(begin, region, device, dax_region));
    EXPECT_THAT(without_chance({begin, device, dax_region, region}),
                ElementsAre(begin, device, dax_region, region))
        << "as 6.12 does it";
    EXPECT_THAT(without_chance({device, region}), ElementsAre(device, region));
}

TEST(TraceNames, NeighboursOneAfterAnotherAreOneLine) {
    TraceNames names;
    static_cast<void>(names.device('A'));
    names.learn(topology(1));
    EXPECT_THAT(names.lines({{"add", "memory16"},
                             {"add", "memory17"},
                             {"add", "memory18"},
                             {"online", "memory19"},
                             {"online", "memory18"},
                             {"online", "memory19"},
                             {"online", "memory23"},
                             {"bind", "dax3.0"}}),
                ElementsAre("add A[0..2]", "online A[3..2]", "online A[3]", "online A[7]", "bind daxA"));
}

}  // namespace cxlmemd::contract
