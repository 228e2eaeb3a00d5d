// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): whatever changes, somebody is told to look.
#include <gmock/gmock.h>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

class ContractTold : public ContractTest {
 protected:
    void SetUp() override {
        ContractTest::SetUp();
        if (!IsSkipped() && !HasFatalFailure()) quiet();
    }
};

}  // namespace

TEST_F(ContractTold, OfWhatWasDoneToABlockByUs) {
    const DaxIdentity dax = device().id;
    for (const BlockTarget target : {BlockTarget::online_movable, BlockTarget::offline}) {
        CONTRACT_OK(backend().set_block(dax, block(1), target));
        EXPECT_TRUE(told_to_look_at(block(1))) << to_string(target);
        quiet();
    }
}

TEST_F(ContractTold, OfNothingWhenABlockIsRefused) {
    const DaxIdentity dax = device().id;
    ASSERT_FALSE(backend().set_block(dax, block(1), BlockTarget::offline));  // it is
    quiet();
    EXPECT_TRUE(machine().events().take().empty());
    EXPECT_EQ(zone(block(1)), Zone::none);
}

TEST_F(ContractTold, OfEveryChangeOfMode) {
    const DaxIdentity dax = device().id;
    for (const DaxMode mode : {DaxMode::unbound, DaxMode::devdax, DaxMode::system_ram}) {
        CONTRACT_OK(backend().set_mode(dax, mode));
        EXPECT_TRUE(told_to_scan()) << to_string(mode);
        quiet();
    }
}

TEST_F(ContractTold, OfWhatAnotherActorDoesToTheDriver) {
    CONTRACT_OK(machine().other_unbinds());
    EXPECT_TRUE(told_to_scan());
    quiet();
    CONTRACT_OK(machine().other_binds());
    EXPECT_TRUE(told_to_scan());
}

TEST_F(ContractTold, R7_OfADeviceThatGoesByItsName) {
    const std::string name = device().id.name;
    CONTRACT_OK(machine().other_removes_region());
    EXPECT_TRUE(told_of_removal(name));
    CONTRACT_OK(machine().other_makes_region());
}

TEST_F(ContractTold, OfARegionThatWeDestroyAndOneThatWeMake) {
    const RegionIdentity old = region_identity();
    const RegionOrder order = order_of_the_card();
    CONTRACT_OK(backend().set_mode(device().id, DaxMode::unbound));
    quiet();
    CONTRACT_OK(backend().destroy_region(old));
    EXPECT_TRUE(told_to_scan());
    quiet();
    const auto draft = backend().draft_region(order);
    CONTRACT_OK(draft);
    CONTRACT_OK(backend().create_region(*draft));
    EXPECT_TRUE(told_to_scan());
    // Since 7.3 its dax device comes later, and is told of, too.
    ASSERT_TRUE(comes([&] {
        const Topology now = scan();
        const Region* made = find_region(now, draft->trace.region);
        return made != nullptr && !dax_devices_on(now, *made).empty() &&
               dax_devices_on(now, *made).front()->mode == DaxMode::system_ram;
    }));
    quiet();
    const Topology now = scan();
    const Region& made = *find_region(now, draft->trace.region);
    CONTRACT_OK(backend().set_mode(dax_devices_on(now, made).front()->id, DaxMode::unbound));
    CONTRACT_OK(backend().destroy_region(identity_of(now, made)));
    CONTRACT_OK(machine().other_makes_region());
}

}  // namespace cxlmemd::contract
