// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/block_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decide.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::one_device;
using test::picture;
using ::testing::ElementsAre;

std::vector<BlockIndex> online_blocks(const Topology& topology) {
    std::vector<BlockIndex> out;
    for (const Block& block : topology.blocks) {
        if (block.state == BlockState::online) out.push_back(block.index);
    }
    return out;
}

std::vector<std::uint64_t> numbers(const std::vector<BlockIndex>& blocks) {
    std::vector<std::uint64_t> out;
    for (const BlockIndex block : blocks) out.push_back(block.value());
    return out;
}

std::vector<std::uint64_t> offline_order_of(const std::string& before) {
    const Topology topology = one_device(before);
    return numbers(offline_order(topology, online_blocks(topology)));
}

// What the kernel looks at after each block goes offline, as set_zone_contiguous() does it: the blocks of the
// zone from its lowest one up to the first hole. `zone` has one character a block, M or a hole.
std::size_t blocks_searched(std::string zone, const std::vector<std::uint64_t>& order) {
    std::size_t searched = 0;
    for (const std::uint64_t block : order) {
        zone.at(block - 100) = '.';
        const std::size_t first = zone.find('M');
        if (first == std::string::npos) continue;
        const std::size_t end = std::min(zone.find('.', first), zone.rfind('M') + 1);
        searched += end - first;
    }
    return searched;
}

TEST(OnlineOrder, IsHighestFirst) {
    EXPECT_THAT(numbers(online_order({BlockIndex{3}, BlockIndex{5}, BlockIndex{6}})), ElementsAre(6, 5, 3));
}

TEST(OfflineOrder, MakesAHoleAboveTheLowestBlockAndKeepsItToTheEnd) {
    EXPECT_THAT(offline_order_of("MMMMM"), ElementsAre(101, 104, 103, 102, 100));
    EXPECT_THAT(offline_order_of("MM"), ElementsAre(101, 100));
    EXPECT_THAT(offline_order_of("M"), ElementsAre(100));
    EXPECT_THAT(offline_order_of("."), ElementsAre());
}

TEST(OfflineOrder, MakesAHoleInEachZone) {
    EXPECT_THAT(offline_order_of("KKKMMM"), ElementsAre(101, 102, 100, 104, 105, 103));
    EXPECT_THAT(offline_order_of("MKMKM"), ElementsAre(102, 104, 100, 103, 101));
}

TEST(OfflineOrder, GoesAroundBlocksThatStay) {
    EXPECT_THAT(offline_order_of("M..M.MM"), ElementsAre(103, 106, 105, 100));
}

TEST(OfflineOrder, TakesWhatIsNotOnlineLast) {
    const Topology topology = one_device(".KM");
    EXPECT_THAT(numbers(offline_order(topology, {BlockIndex{100}, BlockIndex{101}, BlockIndex{102}})),
                ElementsAre(101, 102, 100));
}

// Twice the blocks, twice the search; upwards and downwards it is four times.
TEST(OfflineOrder, KeepsTheKernelsSearchLinear) {
    const auto searched = [](std::size_t blocks) {
        const std::string zone(blocks, 'M');
        return blocks_searched(zone, offline_order_of(zone));
    };
    EXPECT_LE(searched(1024), 1024U);
    EXPECT_LE(searched(2048), 2048U);

    const Topology topology = one_device(std::string(1024, 'M'));
    std::vector<std::uint64_t> up = numbers(online_blocks(topology));
    EXPECT_GT(blocks_searched(std::string(1024, 'M'), up), 500'000U);
    std::ranges::reverse(up);
    EXPECT_GT(blocks_searched(std::string(1024, 'M'), up), 500'000U);
}

// What the kernel looks at while each block comes online: the block itself is still a hole then.
std::size_t blocks_searched_online(std::string zone, const std::vector<std::uint64_t>& order) {
    std::size_t searched = 0;
    for (const std::uint64_t block : order) {
        const std::size_t first = zone.find('M');
        if (first < block - 100) searched += zone.find('.', first) - first;
        zone.at(block - 100) = 'M';
    }
    return searched;
}

// The search that the way to an amount costs; `zone` becomes what it leads to.
std::size_t search_to(std::uint32_t percent, std::string& zone) {
    const Topology topology = one_device(zone);
    Goal goal;
    goal.amount = AmountPercent{percent};
    const DaxDevice& device = topology.dax_devices.front();
    const DevicePlan plan = plan_device(topology, device, goal);
    EXPECT_EQ(plan.steps.size(), 1U);
    const bool online = plan.steps.front().kind == StepKind::online;
    const std::vector<std::uint64_t> order = numbers(plan.steps.front().blocks);
    EXPECT_EQ(order.size(), zone.size() / 4);
    const std::size_t out = online ? blocks_searched_online(zone, order) : blocks_searched(zone, order);
    const Topology end = predict(topology, device, plan);
    zone = picture(end, end.dax_devices.front());
    return out;
}

// At most one look at all that stays, and one at each block that changes.
TEST(Amounts, GrowAndShrinkWithoutASearchOfWhatStays) {
    std::string zone(1024, '.');
    for (const std::uint32_t percent : {25U, 50U, 75U, 100U}) {
        EXPECT_EQ(search_to(percent, zone), 0U) << percent;
    }
    EXPECT_EQ(zone, std::string(1024, 'M'));
    for (const std::uint32_t percent : {75U, 50U, 25U}) {
        const std::size_t stays = percent * zone.size() / 100;
        EXPECT_LE(search_to(percent, zone), zone.size() / 4 + stays) << percent;
        EXPECT_EQ(zone, std::string(zone.size() - stays, '.') + std::string(stays, 'M'));
    }
}

}  // namespace
}  // namespace cxlmemd
