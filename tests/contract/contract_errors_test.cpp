// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller (backends/backend.h): errors that say the same on both, in all that a
// caller can act on: code, errno, object and operation.
#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>

#include "tests/contract/contract_fixture.h"

namespace cxlmemd::contract {

namespace {

constexpr BlockIndex far_away{1ULL << 40};

class ContractErrors : public ContractTest {
 protected:
    // A block that exists and is not the device's: another's, or the machine's own first.
    BlockIndex foreign() {
        for (const Block& each : scan().blocks) {
            if (!std::ranges::binary_search(blocks(), each.index)) return each.index;
        }
        return BlockIndex{0};
    }
};

}  // namespace

TEST_F(ContractErrors, OfABlockNameItAndWhatWasWritten) {
    const DaxIdentity dax = device().id;
    expect_error(backend().set_block(dax, block(0), BlockTarget::offline), ErrorCode::invalid_argument,
                 EINVAL, name_of(block(0)), "offline");
    CONTRACT_OK(backend().set_block(dax, block(0), BlockTarget::online_movable));
    for (const BlockTarget target : {BlockTarget::online_movable, BlockTarget::online_kernel}) {
        expect_error(backend().set_block(dax, block(0), target), ErrorCode::invalid_argument, EINVAL,
                     name_of(block(0)), std::string{to_string(target)});
    }
    CONTRACT_OK(backend().set_block(dax, block(0), BlockTarget::offline));
    expect_error(backend().set_block(dax, far_away, BlockTarget::online_movable), ErrorCode::gone, ENOENT,
                 name_of(far_away), "online_movable");
}

TEST_F(ContractErrors, OfAPinnedBlockAreItsOwn) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(backend().set_block(dax, block(0), BlockTarget::online_movable));
    const auto pinned = machine().other_pins(block(0));
    CONTRACT_OR_SKIP(pinned);
    expect_error(backend().set_block(dax, block(0), BlockTarget::offline), ErrorCode::busy, EBUSY,
                 name_of(block(0)), "offline");
}

TEST_F(ContractErrors, OfABlockThatIsNotTheOwnersSayThatNothingWasWritten) {
    const BlockIndex other = foreign();
    const auto before = backend().read_blocks({&other, 1});
    CONTRACT_OK(before);
    ASSERT_EQ(before->size(), 1U);
    const BlockTarget target =
        before->front().state == BlockState::online ? BlockTarget::offline : BlockTarget::online_movable;
    expect_error(backend().set_block(device().id, other, target), ErrorCode::invalid_argument, 0,
                 name_of(other), std::string{to_string(target)});
    const auto after = backend().read_blocks({&other, 1});
    CONTRACT_OK(after);
    EXPECT_EQ(*after, *before);
}

TEST_F(ContractErrors, R7_OfAStaleIdentityNameTheDeviceForEveryVerb) {
    DaxIdentity stale = device().id;
    ++stale.generation;
    for (const BlockTarget target :
         {BlockTarget::offline, BlockTarget::online_movable, BlockTarget::online_kernel}) {
        for (const BlockIndex each : {block(0), far_away}) {
            expect_error(backend().set_block(stale, each, target), ErrorCode::gone, 0, stale.name,
                         std::string{to_string(target)});
        }
    }
    for (const DaxMode mode : {DaxMode::unbound, DaxMode::system_ram, DaxMode::devdax}) {
        expect_error(backend().set_mode(stale, mode), ErrorCode::gone, 0, stale.name, "set mode");
    }
    DaxIdentity elsewhere = device().id;
    elsewhere.start = PhysAddr{elsewhere.start.value() + (1ULL << 30)};
    expect_error(backend().set_mode(elsewhere, DaxMode::unbound), ErrorCode::gone, 0, stale.name, "set mode");
    DaxIdentity nobody = stale;
    nobody.name = "dax99.0";
    expect_error(backend().set_mode(nobody, DaxMode::unbound), ErrorCode::gone, 0, "dax99.0", "set mode");
    expect_error(backend().set_block(nobody, block(0), BlockTarget::offline), ErrorCode::gone, 0, "dax99.0",
                 "offline");
    RegionIdentity region = region_identity();
    ++region.generation;
    expect_error(backend().destroy_region(region), ErrorCode::gone, 0, region.name, "destroy");
    region.name = "region99";
    expect_error(backend().destroy_region(region), ErrorCode::gone, 0, "region99", "destroy");
    EXPECT_EQ(device().mode, DaxMode::system_ram);
    EXPECT_EQ(online_blocks(), 0U);
}

TEST_F(ContractErrors, R7_OfADeviceThatLeftKmemNameIt) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(backend().set_mode(dax, DaxMode::devdax));
    for (const BlockTarget target : {BlockTarget::offline, BlockTarget::online_movable}) {
        expect_error(backend().set_block(dax, block(0), target), ErrorCode::gone, 0, dax.name,
                     std::string{to_string(target)});
    }
}

TEST_F(ContractErrors, R11_OfMemoryThatIsOnlineAreBusy) {
    const DaxIdentity dax = device().id;
    const RegionIdentity region = region_identity();
    CONTRACT_OK(backend().set_block(dax, block(2), BlockTarget::online_movable));
    for (const DaxMode mode : {DaxMode::unbound, DaxMode::devdax}) {
        expect_error(backend().set_mode(dax, mode), ErrorCode::busy, EBUSY, dax.name, "unbind");
    }
    expect_error(backend().destroy_region(region), ErrorCode::busy, EBUSY, region.name, "destroy");
    CONTRACT_OK(backend().set_block(dax, block(2), BlockTarget::offline));
    expect_error(backend().destroy_region(region), ErrorCode::busy, EBUSY, region.name, "destroy");
}

TEST_F(ContractErrors, OfDevicesThatKmemWouldNotTakeNameWhatWasWanted) {
    struct Odd {
        Result<std::string> (ContractMachine::*make)();
        ErrorCode code;
        int errnum;
        const char* operation;
    };
    bool any = false;
    for (const Odd& odd :
         {Odd{&ContractMachine::device_without_node, ErrorCode::invalid_argument, 0, "set mode system-ram"},
          Odd{&ContractMachine::device_without_whole_block, ErrorCode::invalid_argument, 0,
              "set mode system-ram"},
          Odd{&ContractMachine::device_on_held_range, ErrorCode::busy, EBUSY, "bind"}}) {
        const auto name = (machine().*odd.make)();
        if (!name && name.error().code == ErrorCode::not_supported) continue;
        CONTRACT_OK(name);
        any = true;
        expect_error(backend().set_mode(device(*name).id, DaxMode::system_ram), odd.code, odd.errnum, *name,
                     odd.operation);
        EXPECT_EQ(device(*name).mode, DaxMode::unbound);
    }
    if (!any) GTEST_SKIP() << "this machine cannot make an odd device";
}

TEST_F(ContractErrors, R13_WithoutHotRemoveAreNotSupported) {
    const DaxIdentity dax = device().id;
    CONTRACT_OK(backend().set_block(dax, block(0), BlockTarget::online_movable));
    const auto lost = machine().lose_hotremove();
    CONTRACT_OR_SKIP(lost);
    expect_error(backend().set_block(dax, block(0), BlockTarget::offline), ErrorCode::not_supported, 0,
                 name_of(block(0)), "offline");
    expect_error(backend().set_mode(dax, DaxMode::unbound), ErrorCode::not_supported, 0, dax.name, "unbind");
}

TEST_F(ContractErrors, OfSettingsNameTheSettingAndItsValue) {
    const Features features = scan().features;
    if (features.weighted_interleave) {
        expect_error(backend().set_interleave_weight(NodeId{1000}, 9), ErrorCode::not_found, ENOENT,
                     "interleave weight of node 1000", "set 9");
        expect_error(backend().set_interleave_weight(NodeId{0}, 256), ErrorCode::invalid_argument, EINVAL,
                     "interleave weight of node 0", "set 256");
    } else {
        expect_error(backend().set_interleave_weight(NodeId{0}, 9), ErrorCode::not_supported, ENOENT,
                     "interleave weight of node 0", "set 9");
    }
    if (!features.weighted_interleave_auto) {
        expect_error(backend().set_interleave_auto(true), ErrorCode::not_supported, ENOENT,
                     "automatic interleave weights", "set 1");
    }
    if (!features.demotion) {
        expect_error(backend().set_demotion(false), ErrorCode::not_supported, ENOENT, "demotion_enabled",
                     "set 0");
    }
}

TEST_F(ContractErrors, OfAWeightThatWasRefusedLeaveTheOldOne) {
    if (!scan().features.weighted_interleave) GTEST_SKIP() << "this kernel has no weighted interleave";
    const auto weight = [&] { return find_node(scan(), NodeId{0})->interleave_weight; };
    const auto before = weight();
    CONTRACT_OK(backend().set_interleave_weight(NodeId{0}, 17));
    ASSERT_FALSE(backend().set_interleave_weight(NodeId{0}, 1000));
    EXPECT_EQ(weight(), 17U);
    CONTRACT_OK(backend().set_interleave_weight(NodeId{0}, before.value_or(1)));
}

TEST_F(ContractErrors, OfDemotionLeaveItAsItWas) {
    if (!scan().features.demotion) GTEST_SKIP() << "this kernel cannot demote";
    for (const bool on : {true, true, false, false}) {
        CONTRACT_OK(backend().set_demotion(on));
        EXPECT_EQ(scan().demotion_enabled, on);
    }
}

}  // namespace cxlmemd::contract
