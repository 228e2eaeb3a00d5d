// Dynamic capacity: extents come and go, and nothing else with them (R5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "backends/emulator/machine.h"

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
        const auto added = machine.add_extent("region0", offset, Bytes{size}, DaxMode::system_ram);
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
    const auto added = machine.add_extent("region1", std::nullopt, Bytes{GiB}, DaxMode::system_ram);
    EXPECT_EQ(added.error().code, ErrorCode::not_supported);
    EXPECT_EQ(machine.release_extent("dax1.0", true).error().code, ErrorCode::not_supported);
    EXPECT_EQ(machine.release_extent("dax9.0", true).error().code, ErrorCode::not_found);
}

TEST_F(EmulatorExtents, R5_AreKeptWhileTheyAreInUse) {
    ASSERT_EQ(add(std::nullopt, GiB), "dax0.1");
    EXPECT_EQ(machine.release_extent("dax0.1", false).error().errnum, EBUSY);
    ASSERT_TRUE(machine.unbind("dax0.1"));
    ASSERT_TRUE(machine.release_extent("dax0.1", false));
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
    ASSERT_TRUE(machine.release_extent("dax0.1", true));
    EXPECT_EQ(machine.blocks().zone(block), Zone::movable) << "until the next reboot";
    ASSERT_TRUE(machine.write_block_state(other, BlockWrite::offline));
    ASSERT_EQ(add(std::nullopt, GiB), "dax0.1");
    EXPECT_EQ(machine.dax("dax0.1")->mode, DaxMode::unbound) << "the range is taken";
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
