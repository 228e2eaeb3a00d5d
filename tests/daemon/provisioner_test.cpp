// SPDX-License-Identifier: LGPL-2.1-or-later
// Regions that tables ask for: made, tried again and taken back, on a clock that passes when it is told to.
#include "daemon/provisioner.h"

#include <gmock/gmock.h>

#include "fake_backend.h"
#include "fake_clock.h"
#include "loop_turns.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t second = 1'000'000;
constexpr std::uint64_t gib = 1ULL << 30;

// A card of 4 GiB, of which nothing is made yet, and a table that wants a region on it.
class ProvisionerTest : public ::testing::Test {
 protected:
    ProvisionerTest() {
        auto owned = std::make_unique<FakeBackend>();
        backend = owned.get();
        worker.emplace(loop, std::move(owned));
        model.topology.block_size = Bytes{128ULL << 20};
        model.topology.features.region_create = true;
        Memdev card;
        card.name = "mem0";
        card.serial = 1;
        card.ram_size = Bytes{4 * gib};
        card.generation = 7;
        model.topology.memdevs = {card};
        RootDecoder root;
        root.name = "decoder0.0";
        root.window = {PhysAddr{64 * gib}, Bytes{64 * gib}};
        root.volatile_capable = true;
        root.memdevs = {"mem0"};
        model.topology.root_decoders = {root};
        RegionWish wish;
        wish.name = "pool";
        wish.place = {"p.toml", 3, 1};
        wish.memdev_serial = {1};
        model.policy.regions = {wish};
        model.settings.retry = {.initial_usec = second, .max_usec = 4 * second, .attempts = 3};
        EXPECT_TRUE(log.set_target("null"));
        provisioner.emplace(
            clock, *worker, model, log, folder.path(),
            Provisioner::Hooks{.rescan = [this](std::function<void()> then) { scan = std::move(then); },
                               .again = [this] { provisioner->act(); }});
    }
    void wait_for_rest() {
        test::turn_until(loop, [&] { return !worker->busy(); });
    }
    Error failure() { return {.code = ErrorCode::failed, .object = "region9", .errnum = EIO}; }

    EventLoop loop;
    test::FakeClock clock;
    test::TempDir folder;
    Log log{false};
    Holds holds;
    Model model{holds};
    FakeBackend* backend = nullptr;
    std::optional<Worker> worker;
    std::optional<Provisioner> provisioner;
    std::function<void()> scan;
};

TEST_F(ProvisionerTest, MakesARegionAndNothingMoreBeforeAScanHasSeenIt) {
    provisioner->act();
    wait_for_rest();
    EXPECT_EQ(backend->regions_made, 1U);
    EXPECT_TRUE(provisioner->busy());
    ASSERT_TRUE(scan);
    model.scan_error = failure();
    std::exchange(scan, {})();  // in vain
    provisioner->act();
    EXPECT_FALSE(worker->busy()) << "the topology is from before";
    EXPECT_THAT(model.region_conflicts, IsEmpty());
}

TEST_F(ProvisionerTest, R14_TakesBackTriesAgainAfterGrowingPausesAndGivesUp) {
    backend->create_error = failure();
    provisioner->act();
    const auto scanned = [&] {
        wait_for_rest();
        if (scan) std::exchange(scan, {})();
        wait_for_rest();
    };
    scanned();
    EXPECT_EQ(backend->regions_made, 1U);
    EXPECT_EQ(backend->regions_cleared, 1U) << "what was half made, first";
    clock.pass(second);
    scanned();
    EXPECT_EQ(backend->regions_made, 2U);
    clock.pass(second);
    scanned();
    EXPECT_EQ(backend->regions_made, 2U) << "twice as long";
    clock.pass(second);
    scanned();
    EXPECT_EQ(backend->regions_made, 3U);
    clock.pass(1000 * second);
    scanned();
    EXPECT_EQ(backend->regions_made, 3U) << "given up";
    ASSERT_THAT(model.region_conflicts, SizeIs(1));
    EXPECT_THAT(model.region_conflicts[0].message, HasSubstr("EIO"));
}

TEST_F(ProvisionerTest, R14_WhatCannotBeTakenBackIsTriedAgainAndKeepsNewOnesWaiting) {
    backend->create_error = failure();
    backend->clear_error = failure();
    provisioner->act();
    wait_for_rest();
    provisioner->act();
    wait_for_rest();
    EXPECT_EQ(backend->regions_cleared, 1U);
    clock.pass(second);
    wait_for_rest();
    EXPECT_EQ(backend->regions_cleared, 2U);
    clock.pass(2 * second);
    wait_for_rest();
    EXPECT_EQ(backend->regions_cleared, 3U);
    clock.pass(1000 * second);
    provisioner->act();
    wait_for_rest();
    EXPECT_EQ(backend->regions_cleared, 3U) << "given up";
    EXPECT_EQ(backend->regions_made, 1U);
    backend->clear_error.reset();
    provisioner->forget_failures();
    provisioner->act();
    wait_for_rest();
    EXPECT_EQ(backend->regions_cleared, 4U);
}

}  // namespace
}  // namespace cxlmemd
