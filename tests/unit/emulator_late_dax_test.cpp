// SPDX-License-Identifier: LGPL-2.1-or-later
// Since 7.3 the kernel makes a region's dax device apart from the region: it appears a moment later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/emulator/write.h"
#include "tests/unit/emulator_world.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* late =
    "[kernel]\nlate_dax = \"20ms\"\n[features]\nregion_create = true\ndax_state = true\n";

class EmulatedLateDax : public ::testing::Test {
 protected:
    void SetUp() override {
        ASSERT_TRUE(world.inject("add-memdev", {{"serial", std::int64_t{2}}, {"name", "mem1"}}));
        while (!world.events().empty()) {
        }
    }
    Result<> make() { return world.inject("add-region", {{"memdevs", "mem1"}}); }
    // Subjects of the events that have come, one each of a name that comes several times in a row.
    std::vector<std::string> told() {
        std::vector<std::string> out;
        while (world.is_readable()) {
            for (const Event& event : world.events()) {
                std::string name = event.scope == Event::Scope::block ? "block" : event.subject;
                if (out.empty() || out.back() != name) out.push_back(std::move(name));
            }
        }
        return out;
    }
    Topology scan() { return world.backend().scan().value(); }

    World world{late};
};

TEST_F(EmulatedLateDax, ComesAfterItsRegionWithItsMemory) {
    ASSERT_TRUE(make());
    const Topology between = scan();
    ASSERT_NE(find_region(between, "region1"), nullptr);
    EXPECT_EQ(find_dax(between, "dax1.0"), nullptr);
    EXPECT_EQ(find_node(between, NodeId{2}), nullptr);
    EXPECT_THAT(told(), ElementsAre("region1", "dax_region1", "region1"));
    world.clock->advance(19'999);
    EXPECT_EQ(find_dax(scan(), "dax1.0"), nullptr);
    world.clock->advance(1);
    EXPECT_THAT(told(), ElementsAre("dax1.0", "node2", "block", "dax1.0", "dax_region1"));
    const Topology after = scan();
    ASSERT_NE(find_dax(after, "dax1.0"), nullptr);
    EXPECT_EQ(find_dax(after, "dax1.0")->mode, DaxMode::system_ram);
    EXPECT_EQ(present_blocks(after, *find_dax(after, "dax1.0")).size(), 32U);
}

TEST_F(EmulatedLateDax, DoesNotComeIfItsRegionHasGone) {
    for (const char* how : {"region", "memdev"}) {
        ASSERT_TRUE(make());
        const Topology between = scan();
        if (*how == 'r') {
            const Region& region = *find_region(between, "region1");
            ASSERT_TRUE(world.backend().destroy_region(identity_of(between, region)));
        } else {
            ASSERT_TRUE(world.inject("remove-memdev", {{"memdev", "mem1"}}));
        }
        world.clock->advance(1'000'000);
        EXPECT_EQ(find_dax(scan(), "dax1.0"), nullptr) << how;
        EXPECT_THAT(scan().dax_devices, ::testing::SizeIs(1));
    }
}

TEST_F(EmulatedLateDax, KeepsItsNodeFromOthers) {
    ASSERT_TRUE(make());
    ASSERT_TRUE(world.inject("add-memdev", {{"serial", std::int64_t{3}}, {"name", "mem2"}}));
    ASSERT_TRUE(world.inject("add-region", {{"memdevs", "mem2"}}));
    world.advance(20'000);
    EXPECT_EQ(find_dax(scan(), "dax1.0")->target_node, NodeId{2});
    EXPECT_EQ(find_dax(scan(), "dax2.0")->target_node, NodeId{3});
    EXPECT_FALSE(world.clock->is_armed());
}

TEST_F(EmulatedLateDax, IsMadeByTheBackendAsByOthers) {
    const Topology before = scan();
    const RegionOrder order{.type = RegionType::ram,
                            .root_decoder = "decoder0.0",
                            .members = {{"mem1", find_memdev(before, "mem1")->generation}},
                            .interleave_granularity = 256,
                            .size = Bytes{4ULL << 30}};
    const auto draft = world.backend().draft_region(order);
    ASSERT_TRUE(draft);
    ASSERT_TRUE(world.backend().create_region(*draft));
    EXPECT_EQ(find_dax(scan(), "dax1.0"), nullptr);
    world.advance(20'000);
    EXPECT_NE(find_dax(scan(), "dax1.0"), nullptr);
}

TEST(EmulatorLateDaxFile, IsReadCheckedAndWritten) {
    const auto machine = parse_machine("[kernel]\nlate_dax = \"20ms\"\nfamfs = true\n", "m.toml");
    ASSERT_TRUE(machine);
    EXPECT_EQ(machine->late_dax_usec, 20'000U);
    EXPECT_EQ(parse_machine(write_machine(*machine), "again.toml"), machine);
    for (const char* wrong : {"20", "\"soon\"", "\"2min\""}) {
        const auto bad = parse_machine(std::string{"[kernel]\nlate_dax = "} + wrong + "\n", "m.toml");
        ASSERT_FALSE(bad) << wrong;
        EXPECT_THAT(to_string(bad.error().front()), HasSubstr("m.toml:2:12: error: \"late_dax\"")) << wrong;
    }
}

}  // namespace
}  // namespace cxlmemd::emulator
