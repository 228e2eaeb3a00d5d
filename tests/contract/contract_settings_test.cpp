// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's settings, and regions as far as nothing is made: what has been made is for tests/vm, and
// tests/bus on the emulator.
#include <algorithm>
#include <cerrno>
#include <optional>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {
namespace {

// Without what moves by itself: how much memory the kernel has left.
Topology at_rest(Topology topology) {
    topology.kernel_available.reset();
    return topology;
}

class ContractSettings : public ContractTest {
 protected:
    std::optional<std::uint32_t> weight_of(NodeId node) {
        const Topology topology = scan();
        const Node* found = find_node(topology, node);
        return found == nullptr ? std::nullopt : found->interleave_weight;
    }

    RegionOrder order() {
        const Topology topology = scan();
        const Region* region = find_region(topology, device().id.region);
        const Memdev* card = region == nullptr ? nullptr : find_memdev(topology, region->memdevs.at(0));
        if (card == nullptr) {
            ADD_FAILURE() << "the device under test has no card";
            return {};
        }
        return {.type = RegionType::ram,
                .root_decoder = region->root_decoder,
                .members = {{card->name, card->generation}},
                .interleave_granularity = 256,
                .size = Bytes{256ULL << 20}};
    }
};

TEST_F(ContractSettings, InterleaveWeightReadsAsItWasWritten) {
    CONTRACT_OK(backend().set_block(device().id, block(0), BlockTarget::online_movable));
    const NodeId node = device().target_node;
    const auto before = weight_of(node);
    ASSERT_TRUE(before.has_value()) << "no weight is shown for a node with memory";
    CONTRACT_OK(backend().set_interleave_weight(node, 9));
    EXPECT_EQ(weight_of(node), 9U);
    CONTRACT_OK(backend().set_interleave_weight(node, 200));
    EXPECT_EQ(weight_of(node), 200U);
    CONTRACT_OK(backend().set_interleave_weight(node, *before));
    CONTRACT_OK(backend().set_block(device().id, block(0), BlockTarget::offline));
}

TEST_F(ContractSettings, WeightOfANodeThatIsNotThereIsNotFound) {
    const auto done = backend().set_interleave_weight(NodeId{1000}, 9);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, ErrorCode::not_found) << done.error().text();
}

TEST_F(ContractSettings, AutomaticWeightsAreNotSupportedOrReadAsWritten) {
    if (!scan().features.weighted_interleave_auto) {
        expect_error(backend().set_interleave_auto(true), ErrorCode::not_supported, ENOENT,
                     "automatic interleave weights", "set 1");
        EXPECT_EQ(scan().interleave_auto, std::nullopt);
        return;
    }
    CONTRACT_OK(backend().set_interleave_auto(false));
    EXPECT_EQ(scan().interleave_auto, false);
    const auto done = backend().set_interleave_auto(true);
    const bool some_bandwidth = std::ranges::any_of(
        scan().nodes, [](const Node& node) { return node.access.read_bandwidth.has_value(); });
    if (some_bandwidth) {
        CONTRACT_OK(done);
        CONTRACT_OK(backend().set_interleave_weight(NodeId{0}, 3));  // by hand: that ends the automatic mode
        EXPECT_EQ(weight_of(NodeId{0}), 3U);
        EXPECT_EQ(scan().interleave_auto, false);
        CONTRACT_OK(backend().set_interleave_auto(true));
        EXPECT_EQ(scan().interleave_auto, true);
    } else {
        expect_error(done, ErrorCode::not_supported, ENODEV, "automatic interleave weights", "set 1");
        EXPECT_EQ(scan().interleave_auto, false);
    }
}

TEST_F(ContractSettings, DemotionReadsAsItWasWritten) {
    const auto before = scan().demotion_enabled;
    ASSERT_TRUE(before.has_value());
    for (const bool on : {true, false, *before}) {
        CONTRACT_OK(backend().set_demotion(on));
        EXPECT_EQ(scan().demotion_enabled, on);
    }
}

TEST_F(ContractSettings, RootDecoderLeadsToTheCardsBelowIt) {
    const Topology topology = scan();
    const RegionOrder wanted = order();
    const auto root = std::ranges::find(topology.root_decoders, wanted.root_decoder, &RootDecoder::name);
    ASSERT_NE(root, topology.root_decoders.end());
    ASSERT_FALSE(wanted.members.empty());
    EXPECT_NE(std::ranges::find(root->memdevs, wanted.members[0].memdev), root->memdevs.end());
}

TEST_F(ContractSettings, DraftOfARegionNamesOneThatIsNotThereAndChangesNothing) {
    const Topology before = at_rest(scan());
    const auto draft = backend().draft_region(order());
    CONTRACT_OK(draft);
    EXPECT_EQ(find_region(before, draft->trace.region), nullptr);
    EXPECT_EQ(draft->trace.decoders.size(), 1U);
    EXPECT_EQ(at_rest(scan()), before);
}

TEST_F(ContractSettings, DraftForACardThatIsAnotherByNowIsGone) {
    RegionOrder stale = order();
    ASSERT_FALSE(stale.members.empty());
    ++stale.members[0].generation;
    const auto draft = backend().draft_region(stale);
    ASSERT_FALSE(draft.has_value());
    EXPECT_EQ(draft.error().code, ErrorCode::gone) << draft.error().text();
}

TEST_F(ContractSettings, ARegionThatCannotBeMadeLeavesNothingBehind) {
    RegionOrder wanted = order();
    wanted.size = Bytes{1ULL << 50};  // more than any card has
    const auto draft = backend().draft_region(wanted);
    CONTRACT_OK(draft);
    const Topology before = at_rest(scan());
    const auto made = backend().create_region(*draft);
    ASSERT_FALSE(made.has_value());
    EXPECT_NE(made.error().errnum, 0) << made.error().text();
    EXPECT_EQ(scan().regions, before.regions);
    EXPECT_EQ(scan().dax_devices, before.dax_devices);
    const auto again = backend().draft_region(wanted);
    CONTRACT_OK(again);
    EXPECT_EQ(again->trace.decoders, draft->trace.decoders);  // the card's decoder is free again
}

TEST_F(ContractSettings, ClearingWhatIsCompleteOrNotThereChangesNothing) {
    const Topology before = at_rest(scan());
    CONTRACT_OK(backend().clear_region({device().id.region, order().root_decoder, {"decoder99.0"}}));
    CONTRACT_OK(backend().clear_region({"region99", order().root_decoder, {"decoder99.0"}}));
    EXPECT_EQ(at_rest(scan()), before);
}

}  // namespace
}  // namespace cxlmemd::contract
