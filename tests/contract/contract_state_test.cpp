// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): daxX.Y/state, where the kernel has it.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

class ContractState : public ContractTest {
 protected:
    void SetUp() override {
        ContractTest::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        if (!device().hotplug_state) GTEST_SKIP() << "this kernel has no daxX.Y/state";
    }
    Result<> set(HotplugState state) {
        last_ = 0;
        return backend().set_hotplug_state(device().id, state, [this](std::uint64_t done) { last_ = done; });
    }
    // Whatever the zone, as it is when the test begins.
    void leave_as_it_was() {
        CONTRACT_OK(set(HotplugState::unplugged));
        CONTRACT_OK(machine().other_unbinds());
        CONTRACT_OK(machine().other_binds());
    }
    HotplugState state() { return *device().hotplug_state; }

    std::uint64_t last_ = 0;
};

class ContractStateAnywhere : public ContractTest {};

}  // namespace

TEST_F(ContractState, UnpluggedTakesAllMemoryAwayAndAnOnlineValueBringsItBackInItsZone) {
    CONTRACT_OK(backend().set_block(device().id, block(1), BlockTarget::online_movable));
    CONTRACT_OK(set(HotplugState::unplugged));
    EXPECT_EQ(state(), HotplugState::unplugged);
    EXPECT_EQ(device().mode, DaxMode::system_ram);
    EXPECT_TRUE(present_blocks(scan(), device()).empty());
    CONTRACT_OK(set(HotplugState::unplugged));  // it is already
    CONTRACT_OK(set(HotplugState::online_movable));
    EXPECT_EQ(state(), HotplugState::online_movable);
    for (const BlockIndex each : blocks()) EXPECT_EQ(zone(each), Zone::movable);
    CONTRACT_OK(set(HotplugState::online_movable));  // it is already
    leave_as_it_was();
}

TEST_F(ContractState, AnOnlineValueIsTakenFromAnUnpluggedDeviceOnlyWhateverItsBlocksAre) {
    const DaxIdentity dax = device().id;
    const HotplugState before = state();
    expect_error(set(HotplugState::online_movable), ErrorCode::busy, EBUSY, dax.name,
                 "set state online_movable");
    expect_error(set(HotplugState::offline),
                 before == HotplugState::offline ? ErrorCode::invalid_argument : ErrorCode::busy, EINVAL,
                 dax.name, "set state offline");
    for (const BlockIndex each : blocks())
        CONTRACT_OK(backend().set_block(dax, each, BlockTarget::online_movable));
    // The state does not follow the blocks, and nothing makes it agree with them.
    EXPECT_EQ(state(), before);
    expect_error(set(HotplugState::online_movable), ErrorCode::busy, EBUSY, dax.name,
                 "set state online_movable");
    EXPECT_EQ(online_blocks(), blocks().size());
    leave_as_it_was();
}

TEST_F(ContractState, MemoryThatCannotBeGivenUpStaysAllOfIt) {
    const DaxIdentity dax = device().id;
    for (const BlockIndex each : blocks())
        CONTRACT_OK(backend().set_block(dax, each, BlockTarget::online_movable));
    CONTRACT_OR_SKIP(machine().other_pins(block(2)));
    expect_error(set(HotplugState::unplugged), ErrorCode::busy, EBUSY, dax.name, "set state unplugged");
    EXPECT_EQ(online_blocks(), blocks().size());
    for (const BlockIndex each : blocks()) EXPECT_EQ(zone(each), Zone::movable);
    EXPECT_NE(state(), HotplugState::unplugged);
}

TEST_F(ContractState, R7_OfAStaleIdentityOrAnotherDriverIsGone) {
    DaxIdentity stale = device().id;
    const DaxIdentity dax = stale;
    ++stale.generation;
    expect_error(backend().set_hotplug_state(stale, HotplugState::unplugged, {}), ErrorCode::gone, 0,
                 stale.name, "set state unplugged");
    EXPECT_EQ(present_blocks(scan(), device()).size(), blocks().size());
    CONTRACT_OK(backend().set_mode(dax, DaxMode::devdax));
    expect_error(backend().set_hotplug_state(dax, HotplugState::unplugged, {}), ErrorCode::gone, 0, dax.name,
                 "set state unplugged");
    CONTRACT_OK(backend().set_mode(dax, DaxMode::system_ram));
}

TEST_F(ContractStateAnywhere, WhereTheKernelHasNoneItIsNotSupported) {
    if (device().hotplug_state) GTEST_SKIP() << "this kernel has daxX.Y/state";
    const DaxIdentity dax = device().id;
    expect_error(backend().set_hotplug_state(dax, HotplugState::unplugged, {}), ErrorCode::not_supported,
                 ENOENT, dax.name, "set state unplugged");
    EXPECT_EQ(present_blocks(scan(), device()).size(), blocks().size());
}

}  // namespace cxlmemd::contract
