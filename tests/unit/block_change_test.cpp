// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/block_change.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <random>

#include "policy/decide.h"
#include "policy/summary.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Three devices of four blocks on two nodes, and the machine's own node.
Topology three_devices() {
    test::TopologyBuilder builder;
    builder.node(0, Bytes{4 * test::gib});
    builder.node(1, Bytes{}, test::block_128m);
    builder.dax("dax0.0", 100, "M...");
    builder.dax("dax1.0", 200, "....");
    builder.dax("dax2.0", 300, "....");
    builder.range(400, "..");
    return builder.build();
}

TEST(BlockChange, OneBlockConcernsItsDeviceAndItsNode) {
    Topology topology = three_devices();
    const std::array looked_at{BlockIndex{202}};
    const std::array found{test::block_of(202, 'M')};
    const BlockChange change = exchange_blocks(topology, BlockOwners{topology}, looked_at, found);
    EXPECT_EQ(change, (BlockChange{.changed = true, .devices = {1}, .nodes = {NodeId{1}}, .online = 1}));
    EXPECT_EQ(find_node(topology, NodeId{1})->bytes_movable.value(), 2 * test::block_128m.value());
    EXPECT_EQ(test::picture(topology, topology.dax_devices[1]), "..M.");
}

TEST(BlockChange, NothingIsDifferent) {
    Topology topology = three_devices();
    const Topology before = topology;
    const std::array looked_at{BlockIndex{100}, BlockIndex{103}, BlockIndex{999}};
    const std::array found{test::block_of(100, 'M'), test::block_of(103, '.'), test::block_of(999, 'K')};
    EXPECT_EQ(exchange_blocks(topology, BlockOwners{topology}, looked_at, found), BlockChange{});
    EXPECT_EQ(topology, before);
}

TEST(BlockChange, TheLastBlockOfANodeTurnsIt) {
    Topology topology = three_devices();
    const std::array looked_at{BlockIndex{100}};
    const std::array off{test::block_of(100, '.')};
    const BlockChange away = exchange_blocks(topology, BlockOwners{topology}, looked_at, off);
    EXPECT_TRUE(away.node_turned);
    EXPECT_EQ(away.online, -1);
    const std::array on{test::block_of(100, 'K')};
    EXPECT_TRUE(exchange_blocks(topology, BlockOwners{topology}, looked_at, on).node_turned);
}

TEST(BlockChange, MemoryOnANodeThatNoScanHasSeenTurnsIt) {
    Topology topology = three_devices();
    const std::array looked_at{BlockIndex{101}};
    const std::array found{test::block_of(101, 'M', NodeId{7})};
    const BlockChange change = exchange_blocks(topology, BlockOwners{topology}, looked_at, found);
    EXPECT_TRUE(change.node_turned);
    EXPECT_THAT(change.nodes, IsEmpty());
}

TEST(BlockChange, BlocksThatComeAndGoAreStructural) {
    Topology topology = three_devices();
    const std::array looked_at{BlockIndex{401}, BlockIndex{100}, BlockIndex{300}};
    const std::array found{test::block_of(300, 'K')};
    const BlockChange change = exchange_blocks(topology, BlockOwners{topology}, looked_at, found);
    EXPECT_TRUE(change.structural);
    EXPECT_THAT(change.devices, ElementsAre(0, 2));
    EXPECT_EQ(change.online, 0);
    EXPECT_EQ(test::picture(topology, topology.dax_devices[0]), "x...");
    EXPECT_EQ(test::picture(topology, topology.dax_devices[2]), "K....x");
    const std::array back{BlockIndex{401}};
    const std::array again{test::block_of(401, 'M')};
    EXPECT_TRUE(exchange_blocks(topology, BlockOwners{topology}, back, again).structural);
    EXPECT_EQ(test::picture(topology, topology.dax_devices[2]), "K....M");
}

std::vector<std::size_t> owners_of(const Topology& topology, std::uint64_t block) {
    std::vector<std::size_t> out{99};
    BlockOwners{topology}.find(BlockIndex{block}, out);
    return out;
}

TEST(BlockOwners, AreTheDevicesThatHoldTheWholeBlock) {
    const Topology topology = three_devices();
    EXPECT_THAT(owners_of(topology, 99), IsEmpty());
    EXPECT_THAT(owners_of(topology, 100), ElementsAre(0));
    EXPECT_THAT(owners_of(topology, 203), ElementsAre(1));
    EXPECT_THAT(owners_of(topology, 204), IsEmpty());
    EXPECT_THAT(owners_of(topology, 301), ElementsAre(2));
    EXPECT_THAT(owners_of(topology, 401), ElementsAre(2)) << "its second range";
    EXPECT_THAT(owners_of(topology, 402), IsEmpty());
}

TEST(BlockOwners, NoneOfABlockThatIsPartlyOutside) {
    Topology topology = three_devices();
    PhysRange& range = topology.dax_devices[1].ranges.front();
    range.start = PhysAddr{range.start.value() + 1};
    range.size = Bytes{range.size.value() - 2};
    EXPECT_THAT(owners_of(topology, 200), IsEmpty());
    EXPECT_THAT(owners_of(topology, 201), ElementsAre(1));
    EXPECT_THAT(owners_of(topology, 203), IsEmpty());
}

TEST(BlockOwners, AreSeveralWhereDevicesAreSaidToOverlap) {
    Topology topology = three_devices();
    topology.dax_devices[2].ranges.front() = topology.dax_devices[0].ranges.front();
    // A long one that begins before the others and ends after them.
    topology.dax_devices[1].ranges.front().start = PhysAddr{0};
    topology.dax_devices[1].ranges.front().size = Bytes{1000 * test::block_128m.value()};
    EXPECT_THAT(owners_of(topology, 102), ElementsAre(0, 1, 2));
    EXPECT_THAT(owners_of(topology, 500), ElementsAre(1));
    EXPECT_THAT(owners_of(Topology{}, 500), IsEmpty());
}

// --- Planning again for one device says what deciding about all would. ---

class Random final {
 public:
    explicit Random(std::uint32_t seed) : engine_(seed) {}

    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>{0, end - 1}(engine_);
    }

    Topology machine() {
        test::TopologyBuilder builder;
        builder.node(0, Bytes{16 * test::gib});
        builder.node(1, Bytes{test::gib}, Bytes{test::gib});
        for (std::size_t i = 0; i < 4; ++i) {
            std::string picture(1 + below(6), ' ');
            for (char& look : picture) look = "MK.mk-"[below(6)];
            const bool bound = below(5) != 0;
            if (!bound) picture.assign(picture.size(), 'x');
            builder.dax("dax" + std::to_string(i) + ".0", 100 * (i + 1), picture,
                        bound ? DaxMode::system_ram : DaxMode::devdax);
        }
        Topology out = builder.build();
        out.kernel_available = Bytes{below(64) * test::mib};
        return out;
    }

    Policy policy() {
        Policy out;
        for (std::size_t i = 0; i < 3; ++i) {
            Rule& rule = out.rules.emplace_back();
            rule.name = "rule" + std::to_string(i);
            rule.match.dax.push_back({"dax" + std::to_string(i) + ".*"});
            rule.goal.zone = below(2) == 0 ? ZoneWish::movable : ZoneWish::kernel;
            rule.goal.on_conflict = below(2) == 0 ? OnConflict::keep : OnConflict::rezone;
            if (below(2) == 0) rule.goal.amount = AmountPercent{static_cast<std::uint32_t>(below(101))};
            if (below(6) == 0) rule.goal.mode = ModeWish::devdax;
        }
        return out;
    }

    Holds holds(const Topology& topology) {
        if (below(3) != 0) return {};
        return {.devices = {hold_key(topology, topology.dax_devices[below(topology.dax_devices.size())])},
                .cards = {}};
    }

    // Other looks of some of the blocks that are there.
    std::vector<Block> changes(const Topology& topology) {
        std::vector<Block> out;
        for (const Block& block : topology.blocks) {
            if (below(3) == 0) out.push_back(test::block_of(block.index.value(), "MK.mk-"[below(6)]));
        }
        return out;
    }

 private:
    std::mt19937 engine_;
};

class AnyMachine : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(AnyMachine, PlansAgainAsItDecides) {
    std::size_t alone = 0;
    for (std::uint32_t seed = GetParam(); seed < GetParam() + 250; ++seed) {
        Random random{seed};
        Topology topology = random.machine();
        const Policy policy = random.policy();
        const Holds holds = random.holds(topology);
        std::vector<Decision> decisions = decide(topology, policy, holds);
        DeviceTotals totals = totals_of(topology);

        const std::vector<Block> found = random.changes(topology);
        std::vector<BlockIndex> looked_at;
        for (const Block& block : found) looked_at.push_back(block.index);
        const BlockChange change = exchange_blocks(topology, BlockOwners{topology}, looked_at, found);

        const bool all_bound = std::ranges::all_of(change.devices, [&](std::size_t i) {
            return topology.dax_devices[i].mode == DaxMode::system_ram;
        });
        if (!all_bound || !bound_stand_alone(topology, decisions)) continue;
        ++alone;
        for (const std::size_t i : change.devices) {
            plan_again(topology, topology.dax_devices[i], decisions[i]);
        }
        const std::vector<Decision> all = decide(topology, policy, holds);
        for (std::size_t i = 0; i < all.size(); ++i) {
            ASSERT_EQ(decisions[i].reason, all[i].reason) << "seed " << seed << ", device " << i;
            ASSERT_EQ(decisions[i], all[i]) << "seed " << seed << ", device " << i;
        }
        const auto difference =
            static_cast<std::uint64_t>(change.online) * topology.block_size.value();  // modulo 2^64
        totals.bytes_online = Bytes{totals.bytes_online.value() + difference};
        ASSERT_EQ(totals, totals_of(topology)) << "seed " << seed;
    }
    EXPECT_GT(alone, 100U);
}
INSTANTIATE_TEST_SUITE_P(BlockChange, AnyMachine, ::testing::Values(1, 1001, 2001, 3001));

TEST(BlockChange, NoDeviceStandsAloneWhileAnotherIsToBeBound) {
    test::TopologyBuilder builder;
    builder.dax("dax0.0", 100, "M...");
    builder.dax("dax1.0", 200, "xxxx", DaxMode::devdax);
    const Topology topology = builder.build();
    Policy policy;
    Rule& rule = policy.rules.emplace_back();
    rule.name = "all";
    const auto decisions = decide(topology, policy, {});
    EXPECT_FALSE(bound_stand_alone(topology, decisions));
    EXPECT_TRUE(bound_stand_alone(topology, decide(topology, Policy{}, {})));
}

TEST(BlockChange, NoDeviceStandsAloneWhereZonesAreAutomatic) {
    const Topology topology = three_devices();
    Policy policy;
    Rule& rule = policy.rules.emplace_back();
    rule.name = "auto";
    rule.match.dax.push_back({"dax2.0"});
    rule.goal.zone = ZoneWish::automatic;
    const auto decisions = decide(topology, policy, {});
    EXPECT_FALSE(bound_stand_alone(topology, decisions));
    EXPECT_TRUE(bound_stand_alone(topology, decide(topology, Policy{}, {})));
}

}  // namespace
}  // namespace cxlmemd
