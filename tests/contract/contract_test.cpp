// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): facts, blocks, events.
#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

constexpr BlockIndex far_away{1ULL << 40};

}  // namespace

class ContractFacts : public ContractTest {};
class ContractBlocks : public ContractTest {};
class ContractAutoOnline : public ContractTest {};
class ContractEvents : public ContractTest {};

TEST_F(ContractFacts, ScanShowsTheDeviceBoundToKmemWithEveryBlockOffline) {
    const Topology topology = scan();
    const DaxDevice dax = device();
    EXPECT_EQ(dax.mode, DaxMode::system_ram);
    EXPECT_GE(dax.target_node.value(), 0);
    EXPECT_FALSE(reboot_required(topology, dax));
    const std::vector<Block> present = present_blocks(topology, dax);
    EXPECT_EQ(present.size(), blocks().size());
    for (const Block& block : present) {
        EXPECT_EQ(block.state, BlockState::offline);
        EXPECT_EQ(block.zone, Zone::none);
        EXPECT_EQ(block.node, dax.target_node);
    }
}

TEST_F(ContractFacts, ScanIsConsistentWithItself) {
    const Topology topology = scan();
    EXPECT_TRUE(std::has_single_bit(topology.block_size.value()));
    EXPECT_TRUE(std::ranges::is_sorted(topology.blocks, {}, &Block::index));
    EXPECT_EQ(std::ranges::adjacent_find(topology.blocks, {}, &Block::index), topology.blocks.end());
    EXPECT_TRUE(std::ranges::is_sorted(topology.nodes, {}, &Node::id));
    for (const DaxDevice& dax : topology.dax_devices) {
        ASSERT_FALSE(dax.ranges.empty()) << dax.id.name;
        EXPECT_EQ(dax.id.start, dax.ranges.front().start) << dax.id.name;
        Bytes sum;
        for (const PhysRange& range : dax.ranges) sum += range.size;
        EXPECT_EQ(sum, dax.size) << dax.id.name;
        if (dax.id.region.empty()) continue;
        const Region* region = find_region(topology, dax.id.region);
        ASSERT_NE(region, nullptr) << dax.id.name;
        ASSERT_EQ(region->memdevs.size(), dax.id.serials.size()) << dax.id.name;
        for (std::size_t i = 0; i < region->memdevs.size(); ++i) {
            const Memdev* memdev = find_memdev(topology, region->memdevs[i]);
            ASSERT_NE(memdev, nullptr);
            EXPECT_EQ(memdev->serial, dax.id.serials[i]);
        }
    }
}

TEST_F(ContractFacts, ScanningTwiceShowsTheSame) {
    Topology first = scan();
    Topology second = scan();
    first.kernel_available.reset();  // moves all the time
    second.kernel_available.reset();
    EXPECT_EQ(first, second);
}

TEST_F(ContractFacts, ALookAtMemoryShowsWhatALookAtEverythingDoes) {
    const auto both_are_the_same = [&] {
        auto memory = backend().scan_memory();
        ASSERT_TRUE(memory) << memory.error().text();
        Topology everything = scan();
        memory->kernel_available.reset();  // moves all the time
        everything.kernel_available.reset();
        EXPECT_EQ(*memory, everything);
    };
    const DaxDevice dax = device();
    (void)scan();
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::unbound));
    both_are_the_same();
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::system_ram));
    both_are_the_same();
    CONTRACT_OK(backend().set_block(dax.id, block(0), BlockTarget::online_movable));
    CONTRACT_OK(backend().set_block(dax.id, block(1), BlockTarget::online_movable));
    both_are_the_same();
    CONTRACT_OK(backend().set_block(dax.id, block(1), BlockTarget::offline));
    CONTRACT_OK(backend().set_block(dax.id, block(0), BlockTarget::offline));
    CONTRACT_OK(machine().other_removes_region());
    both_are_the_same();
    CONTRACT_OK(machine().other_makes_region());
    both_are_the_same();
    ASSERT_FALSE(scan().regions.empty());
}

TEST_F(ContractFacts, ReadBlocksAnswersInTheOrderAskedForAndLeavesOutWhatDoesNotExist) {
    const std::vector<BlockIndex> asked{block(2), far_away, block(0)};
    const auto found = backend().read_blocks(asked);
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->at(0).index, block(2));
    EXPECT_EQ(found->at(1).index, block(0));
}

TEST_F(ContractBlocks, GoOnlineInTheZoneAskedForAndOfflineAgain) {
    const DaxIdentity owner = device().id;
    for (const auto& [target, wanted] : {std::pair{BlockTarget::online_movable, Zone::movable},
                                         std::pair{BlockTarget::online_kernel, Zone::kernel}}) {
        CONTRACT_OK(backend().set_block(owner, block(0), target));
        EXPECT_EQ(zone(block(0)), wanted);
        EXPECT_EQ(online_blocks(), 1U);
        CONTRACT_OK(backend().set_block(owner, block(0), BlockTarget::offline));
        EXPECT_EQ(zone(block(0)), Zone::none);
        EXPECT_EQ(online_blocks(), 0U);
    }
}

TEST_F(ContractBlocks, OnlineMemoryShowsOnItsNode) {
    const DaxDevice dax = device();
    const Topology before = scan();
    ASSERT_NE(find_node(before, dax.target_node), nullptr);
    // Two: the tier of a node that is down to one block is not asked for (backends/linux/tiers.h).
    CONTRACT_OK(backend().set_block(dax.id, block(1), BlockTarget::online_movable));
    CONTRACT_OK(backend().set_block(dax.id, block(0), BlockTarget::online_movable));
    const Topology after = scan();
    const Node* node = find_node(after, dax.target_node);
    ASSERT_NE(node, nullptr);
    // Other devices may lie on the node, so the difference counts.
    EXPECT_EQ(node->bytes_movable,
              find_node(before, dax.target_node)->bytes_movable + after.block_size + after.block_size);
    EXPECT_TRUE(node->tier.has_value());
}

TEST_F(ContractBlocks, R15_OnlineOfAnOnlineBlockIsInvalidWhateverTheZone) {
    const DaxIdentity owner = device().id;
    CONTRACT_OK(backend().set_block(owner, block(0), BlockTarget::online_movable));
    for (const BlockTarget target : {BlockTarget::online_movable, BlockTarget::online_kernel}) {
        const auto again = backend().set_block(owner, block(0), target);
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().errnum, EINVAL);
        EXPECT_EQ(again.error().code, ErrorCode::invalid_argument);
        EXPECT_EQ(zone(block(0)), Zone::movable);
    }
}

TEST_F(ContractBlocks, R15_ABlockThatDoesNotExistIsGone) {
    const auto result = backend().set_block(device().id, far_away, BlockTarget::online_movable);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::gone);
    EXPECT_EQ(result.error().errnum, ENOENT);
}

TEST_F(ContractBlocks, ChangeZoneThroughOffline) {
    const DaxIdentity owner = device().id;
    CONTRACT_OK(machine().other_sets_block(block(3), BlockTarget::online_kernel));
    EXPECT_EQ(zone(block(3)), Zone::kernel);
    CONTRACT_OK(backend().set_block(owner, block(3), BlockTarget::offline));
    CONTRACT_OK(backend().set_block(owner, block(3), BlockTarget::online_movable));
    EXPECT_EQ(zone(block(3)), Zone::movable);
}

TEST_F(ContractBlocks, R15_APinnedBlockIsBusyAndStaysOnline) {
    const DaxIdentity owner = device().id;
    CONTRACT_OK(backend().set_block(owner, block(0), BlockTarget::online_movable));
    const auto pinned = machine().other_pins(block(0));
    CONTRACT_OR_SKIP(pinned);
    const auto result = backend().set_block(owner, block(0), BlockTarget::offline);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::busy);
    EXPECT_EQ(result.error().errnum, EBUSY);
    EXPECT_THAT(result.error().text(), ::testing::HasSubstr(std::to_string(block(0).value())));
    EXPECT_EQ(zone(block(0)), Zone::movable);
}

TEST_F(ContractBlocks, R13_WithoutHotRemoveOfflineIsNotSupported) {
    const DaxDevice dax = device();
    CONTRACT_OK(backend().set_block(dax.id, block(0), BlockTarget::online_movable));
    const auto lost = machine().lose_hotremove();
    CONTRACT_OR_SKIP(lost);
    EXPECT_FALSE(scan().features.memory_hotremove);
    const auto offline = backend().set_block(dax.id, block(0), BlockTarget::offline);
    ASSERT_FALSE(offline);
    EXPECT_EQ(offline.error().code, ErrorCode::not_supported);
    const auto unbind = backend().set_mode(dax.id, DaxMode::unbound);
    ASSERT_FALSE(unbind);
    EXPECT_EQ(unbind.error().code, ErrorCode::not_supported);
    EXPECT_EQ(zone(block(0)), Zone::movable);
}

TEST_F(ContractAutoOnline, IsWrittenAndReadBack) {
    for (const AutoOnline value :
         {AutoOnline::online_movable, AutoOnline::online_kernel, AutoOnline::online, AutoOnline::offline}) {
        CONTRACT_OK(backend().set_auto_online(value));
        EXPECT_EQ(scan().auto_online, value);
    }
}

TEST_F(ContractAutoOnline, DecidesWhereMemoryGoesAtTheNextBinding) {
    const DaxDevice dax = device();
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::unbound));
    CONTRACT_OK(backend().set_auto_online(AutoOnline::online_movable));
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::system_ram));
    CONTRACT_OK(backend().set_auto_online(AutoOnline::offline));
    for (const BlockIndex index : blocks()) EXPECT_EQ(zone(index), Zone::movable);
}

TEST_F(ContractEvents, ABlockThatAnotherActorChangedIsToldOf) {
    CONTRACT_OK(machine().other_sets_block(block(1), BlockTarget::online_movable));
    EXPECT_TRUE(told_to_look_at(block(1)));
    EXPECT_EQ(zone(block(1)), Zone::movable);
    CONTRACT_OK(machine().other_sets_block(block(1), BlockTarget::offline));
    EXPECT_TRUE(told_to_look_at(block(1)));
    EXPECT_EQ(zone(block(1)), Zone::none);
}

TEST_F(ContractEvents, ADeviceThatComesOrGoesAsksForAScan) {
    CONTRACT_OK(machine().other_removes_region());
    EXPECT_TRUE(told_to_scan());
    CONTRACT_OK(machine().other_makes_region());
    EXPECT_TRUE(told_to_scan());
}

TEST_F(ContractEvents, TakeIsEmptyAndDoesNotBlockWhenNothingHappened) {
    EXPECT_TRUE(machine().events().take().empty());
}

}  // namespace cxlmemd::contract
