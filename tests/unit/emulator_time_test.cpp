// SPDX-License-Identifier: LGPL-2.1-or-later
// What memory hotplug costs in an emulated kernel with a time model, held against the figures of a real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "tests/unit/manual_clock.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

constexpr std::uint64_t MiB = 1ULL << 20;

BlockIndex nth(std::uint64_t n) {
    return BlockIndex{0x590000000 / (128 * MiB) + n};
}

// A server with one card of so many blocks, and how long it takes to go through them in this order.
class Cost {
 public:
    Cost(std::uint64_t count, const char* model) : count_(count) {
        MachineDescription description = two_card_server();
        description.time_model = time_model_from(model).value();
        description.nodes.front().kernel_bytes = Bytes{64ULL << 40};
        description.dax_devices.pop_back();
        description.regions.pop_back();
        description.regions.front().size = Bytes{count * 128 * MiB};
        description.dax_devices.front().device.ranges.front().size = Bytes{count * 128 * MiB};
        auto own = std::make_unique<ManualClock>();
        clock_ = own.get();
        emulator_ = make_emulator(std::move(description), std::move(own));
        owner_ = backend().scan().value().dax_devices.front().id;
    }
    double seconds(BlockTarget target, const std::vector<std::uint64_t>& order) {
        const std::uint64_t from = clock_->now_usec();
        for (const std::uint64_t n : order) EXPECT_TRUE(backend().set_block(owner_, nth(n), target));
        return static_cast<double>(clock_->now_usec() - from) / 1e6;
    }
    double bind_seconds(AutoOnline value) {
        EXPECT_TRUE(backend().set_mode(owner_, DaxMode::unbound));
        EXPECT_TRUE(backend().set_auto_online(value));
        const std::uint64_t from = clock_->now_usec();
        EXPECT_TRUE(backend().set_mode(owner_, DaxMode::system_ram));
        return static_cast<double>(clock_->now_usec() - from) / 1e6;
    }
    [[nodiscard]] std::vector<std::uint64_t> up() const {
        std::vector<std::uint64_t> out;
        for (std::uint64_t n = 0; n < count_; ++n) out.push_back(n);
        return out;
    }
    [[nodiscard]] std::vector<std::uint64_t> down() const {
        std::vector<std::uint64_t> out = up();
        std::ranges::reverse(out);
        return out;
    }
    // The second block first, and the lowest last: the zone begins with a hole.
    [[nodiscard]] std::vector<std::uint64_t> hole_first() const {
        std::vector<std::uint64_t> out = up();
        std::rotate(out.begin(), out.begin() + 1, out.end());
        return out;
    }

 private:
    Backend& backend() { return *emulator_.pair.worker_side; }

    std::uint64_t count_;
    ManualClock* clock_ = nullptr;
    Emulator emulator_;
    DaxIdentity owner_;
};

constexpr BlockTarget movable = BlockTarget::online_movable;

// The figures of 6.12, in a virtual machine: 1.55 up, 0.53 down; offline 3.0 up, 1.65 hole first.
TEST(EmulatedTime, OnliningUpwardsCostsWhatItDoesOnARealKernel) {
    Cost cost{256, "before-7.4"};
    EXPECT_THAT(cost.seconds(movable, cost.up()), AllOf(Ge(1.4), Le(2.0)));
    EXPECT_THAT(cost.seconds(BlockTarget::offline, cost.up()), AllOf(Ge(2.7), Le(3.3)));
    EXPECT_THAT(cost.seconds(movable, cost.down()), AllOf(Ge(0.45), Le(0.6)));
    EXPECT_THAT(cost.seconds(BlockTarget::offline, cost.hole_first()), AllOf(Ge(1.5), Le(1.8)));
    EXPECT_THAT(cost.bind_seconds(AutoOnline::offline), AllOf(Ge(1.4), Le(1.6)));
    EXPECT_THAT(cost.bind_seconds(AutoOnline::online), AllOf(Ge(2.6), Le(3.4)));
}

// 22.5 up, 1.87 down; offline 34.9 up, 6.5 at best hole first.
TEST(EmulatedTime, ItGrowsWithTheSquareOfTheBlocks) {
    Cost cost{1024, "before-7.4"};
    EXPECT_THAT(cost.seconds(movable, cost.up()), AllOf(Ge(20.0), Le(25.0)));
    EXPECT_THAT(cost.seconds(BlockTarget::offline, cost.hole_first()), AllOf(Ge(6.0), Le(8.0)));
    EXPECT_THAT(cost.seconds(movable, cost.down()), AllOf(Ge(1.7), Le(2.2)));
    EXPECT_THAT(cost.seconds(BlockTarget::offline, cost.up()), AllOf(Ge(25.0), Le(36.0)));
}

TEST(EmulatedTime, NewerKernelsDoNotMindTheOrder) {
    Cost cost{256, "7.4"};
    const double up = cost.seconds(movable, cost.up());
    static_cast<void>(cost.seconds(BlockTarget::offline, cost.up()));
    EXPECT_DOUBLE_EQ(cost.seconds(movable, cost.down()), up);
}

TEST(EmulatedTime, NothingCostsAnythingUnlessItIsSwitchedOn) {
    Cost cost{256, "none"};
    EXPECT_EQ(cost.seconds(movable, cost.up()), 0.0);
}

TEST(EmulatedTime, IsAWordInAFile) {
    const auto machine = parse_machine("[kernel]\ntime_model = \"before-7.4\"\n", "m.toml");
    ASSERT_TRUE(machine);
    EXPECT_EQ(machine->time_model, time_model_from("before-7.4"));
    const auto wrong = parse_machine("[kernel]\ntime_model = \"slow\"\n", "m.toml");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(to_string(wrong.error().front()), HasSubstr("m.toml:2:14"));
}

}  // namespace
}  // namespace cxlmemd::emulator
