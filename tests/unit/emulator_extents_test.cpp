// SPDX-License-Identifier: LGPL-2.1-or-later
// Dynamic capacity: extents come and go, and nothing else with them (R5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "backends/emulator/machine.h"
#include "backends/emulator/write.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t GiB = 1ULL << 30;
constexpr std::uint64_t region_start = 0x590000000;

MachineDescription dynamic_card() {
    MachineDescription description = two_card_server();
    description.dynamic_regions = {"region0"};
    description.dax_devices.front().device.ranges.front().size = Bytes{GiB};
    return description;
}

class EmulatorExtents : public ::testing::Test {
 protected:
    std::string add(std::optional<Bytes> offset, std::uint64_t size) {
        const auto added = machine.add_extents({.region = "region0", .offset = offset, .size = Bytes{size}});
        return added ? *added : errno_name(added.error().errnum);
    }
    PhysRange range(const std::string& dax) { return machine.dax(dax)->ranges.front(); }
    BlockIndex first_block(const std::string& dax) {
        return whole_blocks(*machine.dax(dax), machine.block_size()).front();
    }

    Machine machine{dynamic_card(), {}};
};

TEST_F(EmulatorExtents, TakeTheLowestGapAndBecomeDaxDevicesOfTheSameNode) {
    EXPECT_EQ(add(Bytes{2 * GiB}, GiB), "dax0.1");
    EXPECT_EQ(add(std::nullopt, GiB), "dax0.2");
    EXPECT_EQ(range("dax0.2"), (PhysRange{PhysAddr{region_start + GiB}, Bytes{GiB}}));
    EXPECT_EQ(machine.dax("dax0.2")->mode, DaxMode::system_ram);
    EXPECT_EQ(machine.dax("dax0.2")->target_node, NodeId{1});
    EXPECT_EQ(add(std::nullopt, 2 * GiB), "ENOSPC");
    EXPECT_EQ(add(Bytes{2 * GiB}, GiB), "ERANGE") << "something is there";
    EXPECT_EQ(add(Bytes{4 * GiB}, GiB), "ERANGE") << "outside";
    EXPECT_EQ(add(Bytes{1}, GiB), "EINVAL");
}

TEST_F(EmulatorExtents, AreForRegionsThatHaveThem) {
    const auto added = machine.add_extents({.region = "region1", .size = Bytes{GiB}});
    EXPECT_EQ(added.error().code, ErrorCode::not_supported);
    EXPECT_EQ(machine.release_extent("dax1.0", std::nullopt, true).error().code, ErrorCode::not_supported);
    EXPECT_EQ(machine.release_extent("dax9.0", std::nullopt, true).error().code, ErrorCode::not_found);
}

TEST_F(EmulatorExtents, R5_AreKeptWhileTheyAreInUse) {
    ASSERT_EQ(add(std::nullopt, GiB), "dax0.1");
    EXPECT_EQ(machine.release_extent("dax0.1", std::nullopt, false).error().errnum, EBUSY);
    ASSERT_TRUE(machine.unbind("dax0.1"));
    ASSERT_TRUE(machine.release_extent("dax0.1", std::nullopt, false));
    EXPECT_EQ(machine.dax("dax0.1"), nullptr);
    EXPECT_NE(machine.dax("dax0.0"), nullptr);
    EXPECT_EQ(add(std::nullopt, GiB), "dax0.1") << "its place is free again";
}

TEST_F(EmulatorExtents, R5_TakenByForceTheMemoryThatIsOnlineIsLostAndOnlyThat) {
    ASSERT_EQ(add(std::nullopt, GiB), "dax0.1");
    const BlockIndex block = first_block("dax0.1");
    const BlockIndex other = first_block("dax0.0");
    ASSERT_TRUE(machine.write_block_state(block, BlockWrite::online_movable));
    ASSERT_TRUE(machine.write_block_state(other, BlockWrite::online_movable));
    ASSERT_TRUE(machine.release_extent("dax0.1", std::nullopt, true));
    EXPECT_EQ(machine.blocks().zone(block), Zone::movable) << "until the next reboot";
    ASSERT_TRUE(machine.write_block_state(other, BlockWrite::offline));
    ASSERT_EQ(add(std::nullopt, GiB), "dax0.1");
    EXPECT_EQ(machine.dax("dax0.1")->mode, DaxMode::unbound) << "the range is taken";
}

TEST_F(EmulatorExtents, OfOneTagAreOneDeviceInTheOrderInWhichTheyCame) {
    const auto added = machine.add_extents({.region = "region0", .size = Bytes{GiB}, .count = 3});
    ASSERT_EQ(added, "dax0.1");
    const DaxDevice& device = *machine.dax("dax0.1");
    ASSERT_EQ(device.ranges.size(), 3U);
    EXPECT_EQ(device.size, Bytes{3 * GiB});
    EXPECT_EQ(device.ranges.back(), (PhysRange{PhysAddr{region_start + 3 * GiB}, Bytes{GiB}}));
    EXPECT_EQ(present_blocks(machine.topology(), device).size(), 24U);
    EXPECT_EQ(machine.add_extents({.region = "region0", .size = Bytes{GiB}}).error().errnum, ENOSPC);
}

TEST_F(EmulatorExtents, DoNotJoinADeviceThatADriverUses) {
    const ExtentRequest one{.dax = "dax0.0", .size = Bytes{GiB}};
    EXPECT_EQ(machine.add_extents(one).error().errnum, EBUSY);
    ASSERT_TRUE(machine.unbind("dax0.0"));
    ASSERT_TRUE(machine.add_extents(one));
    EXPECT_EQ(machine.dax("dax0.0")->ranges.size(), 2U);
    ASSERT_TRUE(machine.bind("dax0.0", DaxMode::system_ram));
    EXPECT_EQ(present_blocks(machine.topology(), *machine.dax("dax0.0")).size(), 16U);
    EXPECT_EQ(machine.release_extent("dax0.0", 1, false).error().errnum, EBUSY);
    EXPECT_EQ(machine.release_extent("dax0.0", 2, true).error().errnum, ERANGE);
}

MachineDescription live_card() {
    MachineDescription description = dynamic_card();
    description.live_extents = true;
    return description;
}

// Extents that join and leave dax0.0 while kmem has it.
class EmulatorLiveExtents : public ::testing::Test {
 protected:
    Result<std::string> grow(std::uint64_t size = GiB) {
        return machine.add_extents({.dax = "dax0.0", .size = Bytes{size}});
    }
    [[nodiscard]] const DaxDevice& device() const { return *machine.dax("dax0.0"); }
    [[nodiscard]] std::size_t present() const { return present_blocks(machine.topology(), device()).size(); }
    // The nth block of an extent.
    [[nodiscard]] BlockIndex block(std::size_t extent, std::uint64_t nth) const {
        return BlockIndex{device().ranges.at(extent).start.value() / machine.block_size().value() + nth};
    }

    std::vector<std::string> told;
    Machine machine{live_card(), [this](const Uevent& event) {
                        if (event.subsystem == Uevent::Subsystem::cxl) told.push_back(event.name);
                    }};
};

TEST_F(EmulatorLiveExtents, R5_BringTheirBlocksAndTakeThemAlong) {
    ASSERT_TRUE(machine.write_block_state(block(0, 0), BlockWrite::online_movable));
    const DaxIdentity before = device().id;
    ASSERT_TRUE(grow());
    EXPECT_EQ(device().id, before) << "it is the same device";
    EXPECT_EQ(present(), 16U);
    EXPECT_EQ(machine.blocks().zone(block(0, 0)), Zone::movable);
    ASSERT_TRUE(machine.write_block_state(block(1, 3), BlockWrite::online_movable));
    EXPECT_EQ(machine.release_extent("dax0.0", 1, false).error().errnum, EBUSY);
    EXPECT_EQ(present(), 16U);
    ASSERT_TRUE(machine.write_block_state(block(1, 3), BlockWrite::offline));
    ASSERT_TRUE(machine.release_extent("dax0.0", 1, false));
    EXPECT_EQ(present(), 8U);
    EXPECT_EQ(device().size, Bytes{GiB});
    EXPECT_EQ(machine.blocks().zone(block(0, 0)), Zone::movable) << "the others stay";
    EXPECT_EQ(told, (std::vector<std::string>{"extent0.1", "extent0.1"}));
}

TEST_F(EmulatorLiveExtents, R5_OfSeveralTheFirstCanGo) {
    ASSERT_TRUE(grow());
    ASSERT_TRUE(machine.write_block_state(block(1, 0), BlockWrite::online_movable));
    ASSERT_TRUE(machine.release_extent("dax0.0", 0, false));
    EXPECT_EQ(device().id.start, PhysAddr{region_start + GiB});
    EXPECT_EQ(machine.blocks().zone(block(0, 0)), Zone::movable);
    EXPECT_EQ(machine.release_extent("dax0.0", 0, false).error().errnum, EBUSY);
    ASSERT_TRUE(machine.write_block_state(block(0, 0), BlockWrite::offline));
    ASSERT_TRUE(machine.release_extent("dax0.0", 0, false));
    EXPECT_EQ(machine.dax("dax0.0"), nullptr) << "no extent is left";
    EXPECT_EQ(machine.blocks().count(), 32U) << "those of the other card";
}

TEST_F(EmulatorLiveExtents, R5_OneTakenByForceLosesWhatIsOnlineOfIt) {
    ASSERT_TRUE(grow());
    const BlockIndex lost = block(1, 0);
    ASSERT_TRUE(machine.write_block_state(lost, BlockWrite::online_movable));
    ASSERT_TRUE(machine.release_extent("dax0.0", 1, true));
    EXPECT_EQ(present(), 8U);
    EXPECT_EQ(machine.blocks().zone(lost), Zone::movable) << "until the next reboot";
    EXPECT_EQ(device().mode, DaxMode::system_ram);
    ASSERT_TRUE(grow());
    EXPECT_EQ(device().ranges.size(), 2U);
    EXPECT_EQ(machine.release_extent("dax0.0", 1, false).error().errnum, EBUSY) << "it is online still";
}

TEST_F(EmulatorLiveExtents, WithoutOneWholeBlockKmemIsLeft) {
    ASSERT_TRUE(grow(2ULL << 20));
    EXPECT_EQ(present(), 8U);
    EXPECT_EQ(machine.release_extent("dax0.0", 0, false).error().errnum, EBUSY);
    ASSERT_TRUE(machine.release_extent("dax0.0", 0, true));
    EXPECT_EQ(device().mode, DaxMode::unbound);
    EXPECT_FALSE(machine.memory_leaked(device()));
}

TEST_F(EmulatorLiveExtents, UnboundAllOfItIsBack) {
    ASSERT_TRUE(grow());
    ASSERT_TRUE(machine.unbind("dax0.0"));
    EXPECT_EQ(machine.reserved_ranges(), 1U) << "the other card's";
    ASSERT_TRUE(machine.release_extent("dax0.0", 0, false));
    ASSERT_TRUE(machine.bind("dax0.0", DaxMode::system_ram));
    EXPECT_EQ(present(), 8U);
}

TEST(EmulatorExtentsFile, LiveExtentsNeedTheFeature) {
    const auto without = parse_machine("[kernel]\nlive_extents = true\n", "m.toml");
    ASSERT_FALSE(without);
    EXPECT_THAT(to_string(without.error().front()),
                HasSubstr("m.toml:2:16: error: \"live_extents\" of [kernel]"));
    const auto with =
        parse_machine("[features]\ndynamic_capacity = true\n[kernel]\nlive_extents = true\n", "m.toml");
    ASSERT_TRUE(with);
    EXPECT_EQ(parse_machine(write_machine(*with), "again.toml"), with);
}

TEST(EmulatorExtentsFile, NeedTheFeature) {
    const std::string region =
        "[[memdev]]\nname = \"mem0\"\nserial = 1\nhost = \"x\"\n[[region]]\nname = \"region0\"\n"
        "memdevs = [\"mem0\"]\nstart = 0\nsize = \"1GiB\"\ndynamic = true\n";
    const auto without = parse_machine(region, "m.toml");
    ASSERT_FALSE(without);
    EXPECT_THAT(to_string(without.error().front()),
                HasSubstr("m.toml:10:11: error: \"dynamic\" of [[region]] needs"));
    const auto with = parse_machine("[features]\ndynamic_capacity = true\n" + region, "m.toml");
    ASSERT_TRUE(with);
    EXPECT_EQ(with->dynamic_regions, std::vector<std::string>{"region0"});
}

}  // namespace
}  // namespace cxlmemd::emulator
