// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): making regions, and what is left when that fails.
#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// The card under test is free; what is made on it goes with the test.
class ContractCreate : public ContractTest {
 protected:
    void SetUp() override {
        ContractTest::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        order_ = order_of_the_card();
        CONTRACT_OK(machine().other_removes_region());
    }
    void TearDown() override {
        for (const std::string& name : made_) {
            const Topology now = scan();
            const Region* region = find_region(now, name);
            if (region == nullptr) continue;
            for (const DaxDevice* dax : dax_devices_on(now, *region)) {
                EXPECT_TRUE(backend().set_mode(dax->id, DaxMode::unbound));
            }
            EXPECT_TRUE(backend().destroy_region(identity_of(now, *region)));
        }
    }
    Result<RegionDraft> make(const RegionOrder& order) {
        auto draft = backend().draft_region(order);
        if (!draft) return draft;
        made_.insert(made_.begin(), draft->trace.region);
        if (auto done = backend().create_region(*draft); !done) return fail(done.error());
        return draft;
    }
    // Its dax device, once it is there with all its blocks.
    DaxDevice complete(const std::string& region) {
        DaxDevice out;
        const bool came = comes([&] {
            const Topology now = scan();
            const Region* made = find_region(now, region);
            if (made == nullptr || dax_devices_on(now, *made).empty()) return false;
            out = *dax_devices_on(now, *made).front();
            return out.mode == DaxMode::system_ram &&
                   present_blocks(now, out).size() == whole_block_count(out, now.block_size);
        });
        EXPECT_TRUE(came) << region << " did not come";
        return out;
    }
    [[nodiscard]] const RegionOrder& order() const { return order_; }

 private:
    RegionOrder order_;
    std::vector<std::string> made_;  // in the order in which they can go
};

}  // namespace

TEST_F(ContractCreate, IsAsItWasOrderedAndItsMemoryComesWithIt) {
    const auto draft = make(order());
    CONTRACT_OK(draft);
    const DaxDevice dax = complete(draft->trace.region);
    const Topology now = scan();
    const Region* region = find_region(now, draft->trace.region);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->type, RegionType::ram);
    EXPECT_EQ(region->size, order().size);
    EXPECT_EQ(region->interleave_ways, 1U);
    EXPECT_EQ(region->interleave_granularity, order().interleave_granularity);
    EXPECT_EQ(region->root_decoder, order().root_decoder);
    EXPECT_THAT(region->memdevs, ElementsAre(order().members.front().memdev));
    EXPECT_THAT(region->destroyed_first, ::testing::IsEmpty());
    EXPECT_EQ(dax.id.region, region->name);
    EXPECT_EQ(dax.kind, DaxKind::cxl_ram);
    EXPECT_THAT(dax.ranges, ElementsAre(PhysRange{region->resource, region->size}));
    EXPECT_GE(dax.target_node.value(), 0);
    CONTRACT_OK(
        backend().set_block(dax.id, whole_blocks(dax, now.block_size).front(), BlockTarget::online_movable));
    CONTRACT_OK(backend().set_block(dax.id, whole_blocks(dax, now.block_size).front(), BlockTarget::offline));
}

TEST_F(ContractCreate, TheNextStandsAboveAndGoesFirst) {
    RegionOrder half = order();
    half.size = Bytes{half.size.value() / 2};
    const auto low = make(half);
    CONTRACT_OK(low);
    const DaxDevice below = complete(low->trace.region);
    const auto high = make(half);
    CONTRACT_OK(high);
    const DaxDevice above = complete(high->trace.region);
    EXPECT_NE(low->trace.region, high->trace.region);
    EXPECT_NE(low->trace.decoders, high->trace.decoders);

    const Topology now = scan();
    const Region& first = *find_region(now, low->trace.region);
    EXPECT_THAT(first.destroyed_first, ElementsAre(high->trace.region));
    for (const DaxDevice& dax : {below, above}) CONTRACT_OK(backend().set_mode(dax.id, DaxMode::unbound));
    expect_error(backend().destroy_region(identity_of(now, first)), ErrorCode::conflict, 0, first.name,
                 "destroy");
    CONTRACT_OK(backend().destroy_region(identity_of(now, *find_region(now, high->trace.region))));
    EXPECT_THAT(find_region(scan(), low->trace.region)->destroyed_first, ::testing::IsEmpty());
    CONTRACT_OK(backend().destroy_region(identity_of(now, first)));
    EXPECT_THAT(scan().regions,
                ::testing::Not(::testing::Contains(::testing::Field(&Region::name, low->trace.region))));
}

TEST_F(ContractCreate, MoreThanTheCardHasLeftIsRefusedAndTakenBack) {
    RegionOrder half = order();
    half.size = Bytes{half.size.value() / 2};
    const auto low = make(half);
    CONTRACT_OK(low);
    const DaxDevice below = complete(low->trace.region);
    const Topology before = scan();
    const auto draft = backend().draft_region(order());
    CONTRACT_OK(draft);
    const auto more = backend().create_region(*draft);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().errnum, ENOSPC) << more.error().text();
    EXPECT_EQ(more.error().operation, "create region");
    EXPECT_EQ(scan().regions, before.regions);
    CONTRACT_OK(make(half));
    static_cast<void>(complete(scan().regions.back().name));
}

TEST_F(ContractCreate, ANameThatSomebodyTookSinceTheDraftIsBusyAndTheirsIsLeft) {
    const auto ours = backend().draft_region(order());
    CONTRACT_OK(ours);
    RegionOrder half = order();
    half.size = Bytes{half.size.value() / 2};
    const auto theirs = make(half);
    CONTRACT_OK(theirs);
    EXPECT_EQ(theirs->trace, ours->trace);
    static_cast<void>(complete(theirs->trace.region));
    const Topology before = scan();
    expect_error(backend().create_region(*ours), ErrorCode::busy, EBUSY, order().root_decoder,
                 "create region");
    EXPECT_EQ(scan().regions, before.regions);
    EXPECT_EQ(scan().dax_devices, before.dax_devices);
}

TEST_F(ContractCreate, ADraftIsForACardThatIsThereAndARootDecoderThatIs) {
    RegionOrder stale = order();
    ++stale.members.front().generation;
    expect_error(backend().draft_region(stale), ErrorCode::gone, 0, stale.members.front().memdev,
                 "create region");
    RegionOrder nowhere = order();
    nowhere.root_decoder = "decoder99.0";
    expect_error(backend().draft_region(nowhere), ErrorCode::gone, ENOENT, "decoder99.0", "create region");
    RegionOrder nobody = order();
    nobody.members.front().memdev = "mem99";
    expect_error(backend().draft_region(nobody), ErrorCode::gone, 0, "mem99", "create region");
}

TEST_F(ContractCreate, ATypeThatTheRootDecoderDoesNotMakeIsNotSupported) {
    const Topology now = scan();
    const auto root = std::ranges::find(now.root_decoders, order().root_decoder, &RootDecoder::name);
    ASSERT_NE(root, now.root_decoders.end());
    RegionOrder pmem = order();
    pmem.type = RegionType::pmem;
    if (root->pmem_capable) GTEST_SKIP() << root->name << " makes pmem regions";
    expect_error(backend().draft_region(pmem), ErrorCode::not_supported, ENOENT, root->name, "create region");
}

TEST_F(ContractCreate, ClearingLeavesWhatIsComplete) {
    const auto draft = make(order());
    CONTRACT_OK(draft);
    const DaxDevice dax = complete(draft->trace.region);
    const Topology before = scan();
    CONTRACT_OK(backend().clear_region(draft->trace));
    EXPECT_EQ(scan().regions, before.regions);
    EXPECT_EQ(device(dax.id.name), dax);
}

TEST_F(ContractCreate, WhatWasDestroyedCanBeMadeAgainAndIsAnother) {
    const auto first = make(order());
    CONTRACT_OK(first);
    const DaxDevice dax = complete(first->trace.region);
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::unbound));
    const Topology then = scan();
    const RegionIdentity old = identity_of(then, *find_region(then, first->trace.region));
    CONTRACT_OK(backend().destroy_region(old));
    expect_error(backend().destroy_region(old), ErrorCode::gone, 0, old.name, "destroy");
    const auto second = make(order());
    CONTRACT_OK(second);
    const DaxDevice again = complete(second->trace.region);
    EXPECT_EQ(second->trace.decoders, first->trace.decoders);
    EXPECT_NE(again.id, dax.id);
    expect_error(backend().destroy_region(old), ErrorCode::gone, 0, old.name, "destroy");
    expect_error(backend().set_mode(dax.id, DaxMode::unbound), ErrorCode::gone, 0, dax.id.name, "set mode");
}

}  // namespace cxlmemd::contract
