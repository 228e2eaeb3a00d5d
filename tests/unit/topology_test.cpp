// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "policy/block_change.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::block_128m;
using test::one_device;
using test::range_of;
using test::TopologyBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

DaxDevice device_of(std::vector<PhysRange> ranges) {
    DaxDevice device;
    device.ranges = std::move(ranges);
    return device;
}

// `range`, moved and grown by some bytes at its ends.
PhysRange shifted(PhysRange range, std::uint64_t start, std::uint64_t size) {
    return {PhysAddr{range.start.value() + start}, Bytes{range.size.value() + size}};
}

TEST(Topology, R9_WholeBlocksOfAnAlignedRange) {
    EXPECT_THAT(whole_blocks(device_of({range_of(4, 3)}), block_128m),
                ElementsAre(BlockIndex{4}, BlockIndex{5}, BlockIndex{6}));
    EXPECT_EQ(stranded_bytes(device_of({range_of(4, 3)}), block_128m), Bytes{0});
}

TEST(Topology, R9_PartsOfBlocksAtTheEndsAreStranded) {
    const DaxDevice device = device_of({shifted(range_of(4, 3), 4096, 0)});
    EXPECT_THAT(whole_blocks(device, block_128m), ElementsAre(BlockIndex{5}, BlockIndex{6}));
    EXPECT_EQ(stranded_bytes(device, block_128m), block_128m);
}

TEST(Topology, R9_ARangeInsideOneBlockHasNone) {
    const DaxDevice device = device_of({{PhysAddr{block_128m.value() + 4096}, Bytes{4096}}});
    EXPECT_THAT(whole_blocks(device, block_128m), IsEmpty());
    EXPECT_EQ(stranded_bytes(device, block_128m), Bytes{4096});
}

TEST(Topology, R9_RangesDoNotJoinToABlock) {
    const std::uint64_t half = block_128m.value() / 2;
    const PhysRange low{PhysAddr{block_128m.value()}, Bytes{half}};
    const PhysRange high{PhysAddr{block_128m.value() + half}, Bytes{half}};
    EXPECT_THAT(whole_blocks(device_of({low, high}), block_128m), IsEmpty());
}

TEST(Topology, WholeBlocksOfSeveralRangesAscend) {
    EXPECT_THAT(whole_blocks(device_of({range_of(9, 1), range_of(2, 2)}), block_128m),
                ElementsAre(BlockIndex{2}, BlockIndex{3}, BlockIndex{9}));
}

TEST(Topology, WithoutMemoryBlocksEverythingIsStranded) {
    const DaxDevice device = device_of({range_of(4, 3)});
    EXPECT_THAT(whole_blocks(device, Bytes{0}), IsEmpty());
    EXPECT_EQ(stranded_bytes(device, Bytes{0}).value(), 3 * block_128m.value());
}

TEST(Topology, PresentBlocksAreTheWholeOnesThatExist) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, "M.x");
    builder.dax("dax1.0", 103, "K");
    const Topology topology = builder.build();
    const std::vector<Block> blocks = present_blocks(topology, *find_dax(topology, "dax0.0"));
    ASSERT_EQ(blocks.size(), 2U);
    EXPECT_EQ(blocks[0].index, BlockIndex{100});
    EXPECT_EQ(blocks[1].index, BlockIndex{101});
}

TEST(Topology, R11_RebootIsRequiredIfBlocksOutliveTheDriver) {
    const auto required = [](std::string_view blocks, DaxMode mode) {
        const Topology topology = one_device(blocks, mode);
        return reboot_required(topology, topology.dax_devices.front());
    };
    EXPECT_TRUE(required("M", DaxMode::unbound));
    EXPECT_TRUE(required("x.", DaxMode::devdax));
    EXPECT_FALSE(required("xx", DaxMode::unbound));
    EXPECT_FALSE(required("MM", DaxMode::system_ram));
}

TEST(Topology, FindsByNameAmongMany) {
    TopologyBuilder builder;
    for (std::uint64_t i = 0; i < 25; ++i) {
        const std::string number = std::to_string(i);
        builder.memdev("mem" + number, i, "host" + number);
        builder.region("region" + number, {"mem" + number});
        builder.dax("dax" + number + ".0", 10 * i, ".");
        builder.node(static_cast<int>(i));
    }
    const Topology topology = builder.build();
    for (std::uint64_t i = 0; i < 25; ++i) {
        const std::string number = std::to_string(i);
        ASSERT_NE(find_memdev(topology, "mem" + number), nullptr);
        EXPECT_EQ(find_memdev(topology, "mem" + number)->serial, i);
        ASSERT_NE(find_region(topology, "region" + number), nullptr);
        EXPECT_EQ(find_region(topology, "region" + number)->name, "region" + number);
        ASSERT_NE(find_dax(topology, "dax" + number + ".0"), nullptr);
        ASSERT_NE(find_node(topology, NodeId{static_cast<int>(i)}), nullptr);
        ASSERT_NE(find_block(topology, BlockIndex{10 * i}), nullptr);
    }
    EXPECT_EQ(find_memdev(topology, "mem"), nullptr);
    EXPECT_EQ(find_region(topology, "region99"), nullptr);
    EXPECT_EQ(find_dax(topology, "zzz"), nullptr);
    EXPECT_EQ(find_node(topology, no_node), nullptr);
    EXPECT_EQ(find_block(topology, BlockIndex{11}), nullptr);
}

TEST(Topology, R7_AnotherIncarnationIsNotFound) {
    const Topology topology = one_device(".");
    DaxIdentity identity = topology.dax_devices.front().id;
    EXPECT_NE(find_dax(topology, identity), nullptr);
    ++identity.generation;
    EXPECT_EQ(find_dax(topology, identity), nullptr);
}

TEST(Topology, WithBlocksExchangesOnlyWhatWasLookedAt) {
    const Topology before = one_device("M.K");
    const std::array looked_at{BlockIndex{102}, BlockIndex{101}, BlockIndex{103}};
    // 103 is nobody's, and stays out.
    const std::array found{test::block_of(103, '.'), test::block_of(101, 'M')};
    const Topology after = with_blocks(before, looked_at, found);
    EXPECT_EQ(test::picture(after, after.dax_devices.front()), "MMx");
    EXPECT_EQ(after.blocks.size(), 2U);
    EXPECT_EQ(test::picture(before, before.dax_devices.front()), "M.K");
}

TEST(Topology, WordsOfTheKernelAreReadBack) {
    for (const AutoOnline value :
         {AutoOnline::offline, AutoOnline::online, AutoOnline::online_kernel, AutoOnline::online_movable}) {
        EXPECT_EQ(auto_online_from(to_string(value)), value);
    }
    for (const DaxMode mode : {DaxMode::unbound, DaxMode::system_ram, DaxMode::devdax, DaxMode::famfs}) {
        EXPECT_EQ(dax_mode_from(to_string(mode)), mode);
    }
    EXPECT_EQ(auto_online_from("Online"), std::nullopt);
    EXPECT_EQ(dax_mode_from("kmem"), std::nullopt);
}

}  // namespace
}  // namespace cxlmemd
