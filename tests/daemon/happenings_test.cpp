// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/happenings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/emulator/machine.h"

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> events(const std::vector<Happening>& all) {
    std::vector<std::string> out;
    for (const Happening& one : all) out.push_back(one.event.empty() ? one.comment : one.event);
    return out;
}

class WhatOthersDo : public ::testing::Test {
 protected:
    std::vector<std::string> seen() {
        Topology now = machine_.topology();
        auto out = events(happenings_.compare(before_, now, now_usec_ += 10'000'000));
        before_ = std::move(now);
        return out;
    }
    static KernelAnswer wrote_block(std::uint64_t block, const char* value) {
        return {.operation = std::string{value} == "offline" ? "offline" : "online",
                .object = "dax0.0",
                .value = value,
                .block = BlockIndex{block},
                .error = {}};
    }
    [[nodiscard]] BlockIndex first() const {
        return whole_blocks(*find_dax(before_, "dax0.0"), before_.block_size).front();
    }

    emulator::Machine machine_{emulator::two_card_server(), {}};
    Topology before_ = machine_.topology();
    Happenings happenings_;
    std::uint64_t now_usec_ = 0;
};

TEST_F(WhatOthersDo, IsNothingWhereNothingChanges) {
    EXPECT_THAT(seen(), IsEmpty());
}

TEST_F(WhatOthersDo, IsWhatWasNotWrittenHere) {
    const BlockIndex block = first();
    ASSERT_TRUE(machine_.write_block_state(block, emulator::BlockWrite::online_movable));
    happenings_.wrote(wrote_block(block.value(), "online_movable"));
    EXPECT_THAT(seen(), IsEmpty());
    ASSERT_TRUE(machine_.write_block_state(block, emulator::BlockWrite::offline));
    EXPECT_THAT(seen(), ElementsAre("offline-block"));
    ASSERT_TRUE(machine_.write_block_state(block, emulator::BlockWrite::online_kernel));
    EXPECT_THAT(seen(), ElementsAre("online-block"));
}

TEST_F(WhatOthersDo, IsWhatUndoesAWriteBeforeItWasSeen) {
    const BlockIndex block = first();
    ASSERT_TRUE(machine_.write_block_state(block, emulator::BlockWrite::online_kernel));
    happenings_.wrote(wrote_block(block.value(), "online_movable"));
    EXPECT_THAT(seen(), ElementsAre("online-block"));
}

TEST_F(WhatOthersDo, IsAZoneThatChangesByWayOfOffline) {
    ASSERT_TRUE(machine_.write_block_state(first(), emulator::BlockWrite::online_kernel));
    EXPECT_THAT(seen(), ElementsAre("online-block"));
    ASSERT_TRUE(machine_.write_block_state(first(), emulator::BlockWrite::offline));
    ASSERT_TRUE(machine_.write_block_state(first(), emulator::BlockWrite::online_movable));
    EXPECT_THAT(seen(), ElementsAre("offline-block", "online-block"));
}

TEST_F(WhatOthersDo, IsABindingButNotTheBlocksThatItBrings) {
    ASSERT_TRUE(machine_.unbind("dax0.0"));
    EXPECT_THAT(seen(), ElementsAre("unbind-dax"));
    ASSERT_TRUE(machine_.bind("dax0.0", DaxMode::system_ram));
    EXPECT_THAT(seen(), ElementsAre("bind-dax"));
    ASSERT_TRUE(machine_.unbind("dax0.0"));
    happenings_.wrote(
        {.operation = "set_mode", .object = "dax0.0", .value = "unbound", .block = {}, .error = {}});
    EXPECT_THAT(seen(), IsEmpty());
}

TEST_F(WhatOthersDo, IsARegionAsItIsOnceItIsComplete) {
    const Topology complete = before_;
    Topology none = before_;
    std::erase_if(none.regions, [](const Region& r) { return r.name == "region1"; });
    std::erase_if(none.dax_devices, [](const DaxDevice& d) { return d.id.name == "dax1.0"; });
    Topology half = none;
    half.regions.emplace_back().name = "region1";
    EXPECT_THAT(events(happenings_.compare(none, half, 1000)), IsEmpty());
    const auto told = happenings_.compare(half, complete, 2000);
    ASSERT_THAT(events(told), ElementsAre("add-region"));
    EXPECT_THAT(told[0].texts, ::testing::Contains(std::pair<std::string, std::string>{"memdevs", "mem1"}));
}

TEST_F(WhatOthersDo, IsACardThatIsPulledWithWhatStoodOnIt) {
    ASSERT_TRUE(machine_.remove_memdev("mem0"));
    EXPECT_THAT(seen(), ElementsAre("remove-memdev"));
}

}  // namespace
}  // namespace cxlmemd
