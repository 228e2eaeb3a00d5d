// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): destroying a region.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ContractRegion : public ContractTest {
 protected:
    // Of the device under test.
    RegionIdentity region() {
        const Topology topology = scan();
        const Region* found = find_region(topology, device().id.region);
        if (found != nullptr) return identity_of(topology, *found);
        ADD_FAILURE() << "the device has no region";
        return {};
    }
    bool is_there(const RegionIdentity& region) { return find_region(scan(), region) != nullptr; }

    void refused(const RegionIdentity& region, ErrorCode code, const std::string& word) {
        const auto result = backend().destroy_region(region);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, code) << result.error().text();
        EXPECT_THAT(result.error().text(), HasSubstr(word));
    }
};

}  // namespace

TEST_F(ContractRegion, IsDestroyedAndItsCapacityGivenBack) {
    const RegionIdentity old = region();
    EXPECT_THAT(old.serials, Not(IsEmpty()));
    const std::string dax = machine().dax();
    CONTRACT_OK(backend().set_mode(device().id, DaxMode::unbound));
    CONTRACT_OK(backend().destroy_region(old));

    EXPECT_TRUE(told_to_scan());
    EXPECT_FALSE(is_there(old));
    EXPECT_EQ(find_dax(scan(), dax), nullptr);
    EXPECT_TRUE(backend().read_blocks(blocks())->empty());
    // The whole card again: nothing of it was lost.
    CONTRACT_OK(machine().other_makes_region());
    EXPECT_EQ(present_blocks(scan(), device()).size(), blocks().size());
}

TEST_F(ContractRegion, R11_IsNotDestroyedWhileOneBlockIsOnline) {
    const RegionIdentity id = region();
    CONTRACT_OK(backend().set_block(device().id, block(1), BlockTarget::online_movable));
    refused(id, ErrorCode::busy, std::to_string(block(1).value()));
    EXPECT_TRUE(is_there(id));
    EXPECT_EQ(zone(block(1)), Zone::movable);
    EXPECT_EQ(device().mode, DaxMode::system_ram);
    CONTRACT_OK(backend().set_block(device().id, block(1), BlockTarget::offline));
}

TEST_F(ContractRegion, IsNotDestroyedWhileADeviceOfItIsBound) {
    const RegionIdentity id = region();
    for (const DaxMode mode : {DaxMode::system_ram, DaxMode::devdax}) {
        CONTRACT_OK(backend().set_mode(device().id, mode));
        refused(id, ErrorCode::busy, machine().dax());
        EXPECT_TRUE(is_there(id));
        EXPECT_EQ(device().mode, mode);
    }
}

TEST_F(ContractRegion, R7_AnotherIncarnationIsGoneAndNothingIsTouched) {
    CONTRACT_OK(backend().set_mode(device().id, DaxMode::unbound));
    const RegionIdentity id = region();
    RegionIdentity other = id;
    ++other.generation;
    refused(other, ErrorCode::gone, id.name);
    other = id;
    other.serials.push_back(0xdead);
    refused(other, ErrorCode::gone, id.name);
    EXPECT_TRUE(is_there(id));
}

TEST_F(ContractRegion, R7_ASuccessorIsNotDestroyedInThePlaceOfItsPredecessor) {
    const RegionIdentity old = region();
    CONTRACT_OK(machine().other_removes_region());
    refused(old, ErrorCode::gone, old.name);
    CONTRACT_OK(machine().other_makes_region());
    CONTRACT_OK(backend().set_mode(device().id, DaxMode::unbound));
    const RegionIdentity successor = region();
    EXPECT_NE(successor, old);
    refused(old, ErrorCode::gone, old.name);
    EXPECT_TRUE(is_there(successor));
}

}  // namespace cxlmemd::contract
