// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): identity, and changing the driver.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

using ::testing::HasSubstr;

class ContractIdentity : public ContractTest {};
class ContractMode : public ContractTest {
 protected:
    // All blocks are expected, two have been online, and another actor unbinds with all of them offline.
    void expect_all_and_unbind(const DaxIdentity& dax) {
        backend().expect_blocks(dax, blocks());
        for (const BlockTarget target : {BlockTarget::online_movable, BlockTarget::offline}) {
            for (const std::size_t i : {0, 1}) CONTRACT_OK(backend().set_block(dax, block(i), target));
        }
        CONTRACT_OK(machine().other_unbinds());
    }
};
class ContractSpoiled : public SpoilingContractTest {};

}  // namespace

TEST_F(ContractIdentity, R7_AnotherGenerationIsGoneAndNothingIsWritten) {
    DaxIdentity stale = device().id;
    ++stale.generation;
    const auto block_result = backend().set_block(stale, block(0), BlockTarget::online_movable);
    ASSERT_FALSE(block_result);
    EXPECT_EQ(block_result.error().code, ErrorCode::gone);
    EXPECT_EQ(zone(block(0)), Zone::none);
    const auto mode_result = backend().set_mode(stale, DaxMode::unbound);
    ASSERT_FALSE(mode_result);
    EXPECT_EQ(mode_result.error().code, ErrorCode::gone);
    EXPECT_EQ(device().mode, DaxMode::system_ram);
}

TEST_F(ContractIdentity, R7_ADeviceThatWentAwayIsGone) {
    const DaxIdentity old = device().id;
    CONTRACT_OK(machine().other_removes_region());
    const auto block_result = backend().set_block(old, block(0), BlockTarget::online_movable);
    ASSERT_FALSE(block_result);
    EXPECT_EQ(block_result.error().code, ErrorCode::gone);
    const auto mode_result = backend().set_mode(old, DaxMode::system_ram);
    ASSERT_FALSE(mode_result);
    EXPECT_EQ(mode_result.error().code, ErrorCode::gone);
    CONTRACT_OK(machine().other_makes_region());
}

TEST_F(ContractIdentity, R7_ASuccessorIsNotTouchedByWhatWasMeantForItsPredecessor) {
    const DaxIdentity old = device().id;
    CONTRACT_OK(machine().other_removes_region());
    CONTRACT_OK(machine().other_makes_region());
    const DaxDevice successor = device();
    EXPECT_NE(successor.id, old);
    const auto block_result = backend().set_block(old, block(0), BlockTarget::online_movable);
    ASSERT_FALSE(block_result);
    EXPECT_EQ(block_result.error().code, ErrorCode::gone);
    const auto mode_result = backend().set_mode(old, DaxMode::unbound);
    ASSERT_FALSE(mode_result);
    EXPECT_EQ(mode_result.error().code, ErrorCode::gone);
    EXPECT_EQ(device().mode, DaxMode::system_ram);
    EXPECT_EQ(online_blocks(), 0U);
}

TEST_F(ContractIdentity, SurvivesAChangeOfMode) {
    const DaxIdentity before = device().id;
    CONTRACT_OK(backend().set_mode(before, DaxMode::unbound));
    CONTRACT_OK(backend().set_mode(before, DaxMode::system_ram));
    EXPECT_EQ(device().id, before);
}

TEST_F(ContractMode, BlocksComeAndGoWithKmem) {
    const DaxIdentity dax = device().id;
    for (const DaxMode other : {DaxMode::unbound, DaxMode::devdax}) {
        CONTRACT_OK(backend().set_mode(dax, other));
        EXPECT_EQ(device().mode, other);
        EXPECT_TRUE(present_blocks(scan(), device()).empty());
        EXPECT_FALSE(reboot_required(scan(), device()));
        CONTRACT_OK(backend().set_mode(dax, DaxMode::system_ram));
        EXPECT_EQ(device().mode, DaxMode::system_ram);
        EXPECT_EQ(present_blocks(scan(), device()).size(), blocks().size());
    }
}

// What a backend has got ready for the blocks that it expects is none of a device's that is not there any
// more, nor of blocks that have been made anew.
TEST_F(ContractMode, R7_BlocksThatWereExpectedAreGoneWithTheirDriver) {
    const DaxIdentity dax = device().id;
    expect_all_and_unbind(dax);
    const auto unbound = backend().set_block(dax, block(2), BlockTarget::online_movable);
    ASSERT_FALSE(unbound);
    EXPECT_EQ(unbound.error().code, ErrorCode::gone);
    EXPECT_EQ(unbound.error().object, dax.name);
    CONTRACT_OK(machine().other_binds());
}

TEST_F(ContractMode, BlocksThatWereExpectedAndMadeAnewAreSetAsAnyOther) {
    const DaxIdentity dax = device().id;
    expect_all_and_unbind(dax);
    CONTRACT_OK(machine().other_binds());
    for (std::size_t i = 2; i < blocks().size(); ++i) {
        CONTRACT_OK(backend().set_block(dax, block(i), BlockTarget::online_movable));
        EXPECT_EQ(zone(block(i)), Zone::movable);
    }
    backend().expect_blocks(dax, {});
    EXPECT_EQ(online_blocks(), blocks().size() - 2);
}

TEST_F(ContractMode, TheModeItHasAlreadyIsSuccessAndChangesNothing) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(backend().set_block(dax, block(0), BlockTarget::online_movable));
    CONTRACT_OK(backend().set_mode(dax, DaxMode::system_ram));
    EXPECT_EQ(zone(block(0)), Zone::movable);
}

TEST_F(ContractMode, R7_ABlockOfADeviceThatIsNotBoundToKmemIsGone) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(machine().other_unbinds());
    const auto result = backend().set_block(dax, block(0), BlockTarget::online_movable);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::gone);
    CONTRACT_OK(machine().other_binds());
}

TEST_F(ContractMode, R11_RefusesToUnbindWhileOneBlockIsOnline) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(backend().set_block(dax, block(2), BlockTarget::online_movable));
    for (const DaxMode mode : {DaxMode::unbound, DaxMode::devdax}) {
        const auto result = backend().set_mode(dax, mode);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::busy);
        EXPECT_THAT(result.error().text(), HasSubstr(std::to_string(block(2).value())));
        EXPECT_EQ(device().mode, DaxMode::system_ram);
        EXPECT_EQ(zone(block(2)), Zone::movable);
    }
    CONTRACT_OK(backend().set_block(dax, block(2), BlockTarget::offline));
    CONTRACT_OK(backend().set_mode(dax, DaxMode::unbound));
}

TEST_F(ContractMode, R8_RefusesADeviceWithoutANode) {
    const auto name = machine().device_without_node();
    CONTRACT_OR_SKIP(name);
    const auto result = backend().set_mode(device(*name).id, DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(result.error().text(), HasSubstr("node"));
    EXPECT_THAT(result.error().text(), HasSubstr("-1"));
    EXPECT_EQ(device(*name).mode, DaxMode::unbound);
}

TEST_F(ContractMode, R9_TrimsAMisalignedDeviceToWholeBlocks) {
    const auto name = machine().device_misaligned();
    CONTRACT_OR_SKIP(name);
    const DaxDevice dax = device(*name);
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::system_ram));
    const Topology topology = scan();
    const std::vector<BlockIndex> whole = whole_blocks(dax, topology.block_size);
    EXPECT_FALSE(whole.empty());
    EXPECT_EQ(present_blocks(topology, dax).size(), whole.size());
    EXPECT_GT(stranded_bytes(dax, topology.block_size).value(), 0U);
    CONTRACT_OK(backend().set_mode(dax.id, DaxMode::unbound));
}

TEST_F(ContractMode, R9_RefusesADeviceWithoutAWholeBlock) {
    const auto name = machine().device_without_whole_block();
    CONTRACT_OR_SKIP(name);
    const auto result = backend().set_mode(device(*name).id, DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(result.error().text(), HasSubstr("block"));
}

TEST_F(ContractMode, R10_NamesWhoHoldsTheRange) {
    const auto name = machine().device_on_held_range();
    CONTRACT_OR_SKIP(name);
    const auto result = backend().set_mode(device(*name).id, DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::busy);
    EXPECT_EQ(result.error().errnum, EBUSY);
    EXPECT_THAT(result.error().text(), HasSubstr("Contract Holder"));
}

// These two cost a card each: the memory is lost.
TEST_F(ContractSpoiled, R7_BlocksThatWereExpectedAreLeftAloneOnceTheirMemoryIsLost) {
    const DaxIdentity dax = device().id;
    backend().expect_blocks(dax, blocks());
    for (const std::size_t i : {0, 1}) {
        CONTRACT_OK(backend().set_block(dax, block(i), BlockTarget::online_movable));
    }
    CONTRACT_OK(machine().other_unbinds());
    expect_error(backend().set_block(dax, block(2), BlockTarget::online_movable), ErrorCode::gone, 0,
                 dax.name, "online_movable");
    EXPECT_EQ(zone(block(2)), Zone::none);
}

// Everything else about lost memory is asked here.
TEST_F(ContractSpoiled, R11_MemoryUnboundByAnotherActorWhileOnlineIsLostUntilReboot) {
    const DaxDevice dax = device();
    CONTRACT_OK(backend().set_block(dax.id, block(0), BlockTarget::online_movable));
    CONTRACT_OK(machine().other_unbinds());

    EXPECT_EQ(device().mode, DaxMode::unbound);
    EXPECT_TRUE(reboot_required(scan(), device()));
    for (const DaxMode mode : {DaxMode::system_ram, DaxMode::devdax, DaxMode::unbound}) {
        expect_error(backend().set_mode(dax.id, mode), ErrorCode::reboot_required, 0, dax.id.name,
                     "set mode");
    }
    expect_error(backend().set_block(dax.id, block(0), BlockTarget::offline), ErrorCode::gone, 0, dax.id.name,
                 "offline");
    EXPECT_EQ(zone(block(0)), Zone::movable);
    // Without the region, the machine would have memory online that no device answers for.
    const Topology lost = scan();
    const auto destroyed =
        backend().destroy_region(identity_of(lost, *find_region(lost, device().id.region)));
    expect_error(destroyed, ErrorCode::reboot_required, 0, dax.id.region, "destroy");

    // Taking the block offline afterwards does not help: the kernel had one shot at removal.
    CONTRACT_OK(machine().other_sets_block(block(0), BlockTarget::offline));
    EXPECT_TRUE(reboot_required(scan(), device()));
    const auto bind = machine().other_binds();
    ASSERT_FALSE(bind);
    EXPECT_EQ(bind.error().errnum, EBUSY);
    const auto result = backend().set_mode(device().id, DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::reboot_required);
}

}  // namespace cxlmemd::contract
