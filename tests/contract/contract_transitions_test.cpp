// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): from every mode to every other, and what is left
// then.
#include <gmock/gmock.h>

#include <vector>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

class ContractTransitions : public ContractTest {
 protected:
    void expect_mode(DaxMode mode) {
        const Topology topology = scan();
        const DaxDevice dax = device();
        EXPECT_EQ(dax.mode, mode);
        EXPECT_EQ(present_blocks(topology, dax).size(), mode == DaxMode::system_ram ? blocks().size() : 0U);
        EXPECT_FALSE(reboot_required(topology, dax));
        const bool has_node = find_node(topology, dax.target_node) != nullptr;
        if (mode == DaxMode::system_ram) {
            EXPECT_TRUE(has_node);
        }
    }
};

}  // namespace

TEST_F(ContractTransitions, EveryModeIsReachedFromEveryMode) {
    const DaxIdentity dax = device().id;
    std::vector<DaxMode> modes{DaxMode::unbound, DaxMode::system_ram, DaxMode::devdax};
    if (backend().set_mode(dax, DaxMode::famfs)) modes.push_back(DaxMode::famfs);
    for (const DaxMode from : modes) {
        for (const DaxMode to : modes) {
            SCOPED_TRACE(std::string{to_string(from)} + " to " + std::string{to_string(to)});
            CONTRACT_OK(backend().set_mode(dax, from));
            expect_mode(from);
            CONTRACT_OK(backend().set_mode(dax, to));
            expect_mode(to);
            EXPECT_EQ(device().id, dax);
        }
    }
}

TEST_F(ContractTransitions, AModeWithoutADriverLeavesTheDeviceAsItWas) {
    const DaxIdentity dax = device().id;
    const auto done = backend().set_mode(dax, DaxMode::famfs);
    if (done) {
        GTEST_SKIP() << "this kernel has a driver for famfs";
    }
    expect_error(done, ErrorCode::not_supported, 0, dax.name, "bind");
    expect_mode(DaxMode::system_ram);
}

TEST_F(ContractTransitions, BlocksAreGoneOnceKmemIs) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(backend().set_mode(dax, DaxMode::unbound));
    const auto none = backend().read_blocks(blocks());
    CONTRACT_OK(none);
    EXPECT_TRUE(none->empty());
    CONTRACT_OK(backend().set_mode(dax, DaxMode::system_ram));
    const auto all = backend().read_blocks(blocks());
    CONTRACT_OK(all);
    EXPECT_EQ(all->size(), blocks().size());
    for (const Block& block : *all) EXPECT_EQ(block.state, BlockState::offline);
}

TEST_F(ContractTransitions, AnyMixOfZonesIsLeftBlockByBlock) {
    const DaxIdentity dax = device().id;
    for (const BlockIndex each : blocks()) {
        CONTRACT_OK(backend().set_block(dax, each, BlockTarget::online_movable));
    }
    EXPECT_EQ(online_blocks(), blocks().size());
    for (std::size_t i = 0; i < blocks().size(); ++i) {
        expect_error(backend().set_mode(dax, DaxMode::unbound), ErrorCode::busy, EBUSY, dax.name, "unbind");
        CONTRACT_OK(backend().set_block(dax, block(i), BlockTarget::offline));
        EXPECT_EQ(online_blocks(), blocks().size() - i - 1);
    }
    CONTRACT_OK(backend().set_mode(dax, DaxMode::unbound));
}

TEST_F(ContractTransitions, WhatAnotherActorBoundOrUnboundIsSeenAtOnce) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(machine().other_unbinds());
    expect_mode(DaxMode::unbound);
    CONTRACT_OK(backend().set_mode(dax, DaxMode::unbound));
    CONTRACT_OK(machine().other_binds());
    expect_mode(DaxMode::system_ram);
    CONTRACT_OK(backend().set_mode(dax, DaxMode::system_ram));
    EXPECT_EQ(device().id, dax);
}

}  // namespace cxlmemd::contract
