// SPDX-License-Identifier: LGPL-2.1-or-later
// What policy begins, what it waits for, and whom it blames: a kernel that is a FakeBackend, and a clock that
// passes when it is told to.
#include "daemon/reconciler.h"

#include <gmock/gmock.h>

#include "fake_backend.h"
#include "fake_clock.h"
#include "loop_turns.h"
#include "policy/block_change.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using ::testing::HasSubstr;

constexpr auto b = [](std::uint64_t i) { return BlockIndex{i}; };
constexpr std::uint64_t MiB128 = 128ULL << 20;
constexpr std::uint64_t second = 1'000'000;

// dax0.0 of the blocks 8 to 11, offline, and a rule that wants them in ZONE_MOVABLE.
class ReconcilerTest : public ::testing::Test {
 protected:
    ReconcilerTest() {
        auto owned = std::make_unique<FakeBackend>();
        backend = owned.get();
        for (std::uint64_t i = 8; i < 12; ++i) backend->add(i, BlockState::offline, Zone::none);
        DaxDevice device;
        device.id = {.name = "dax0.0", .region = "region0", .start = PhysAddr{8 * MiB128}, .serials = {1}};
        device.kind = DaxKind::cxl_ram;
        device.target_node = NodeId{1};
        device.size = Bytes{4 * MiB128};
        device.ranges = {{PhysAddr{8 * MiB128}, Bytes{4 * MiB128}}};
        device.mode = DaxMode::system_ram;
        model.topology.block_size = Bytes{MiB128};
        model.topology.features.memory_hotremove = true;
        model.topology.dax_devices = {device};
        for (const auto& [index, block] : backend->blocks) model.topology.blocks.push_back(block);
        Rule rule;
        rule.name = "expanders";
        rule.goal.drain.retries = 0;
        model.policy.rules = {rule};
        model.settings.retry = {.initial_usec = second, .max_usec = 4 * second, .attempts = 3};
        EXPECT_TRUE(log.set_target("null"));

        worker.emplace(loop, std::move(owned));
        JobHooks hooks;
        hooks.topology = [this]() -> const Topology& { return model.topology; };
        hooks.blocks_changed = [this](const StepReport& report) {
            model.topology = with_blocks(model.topology, report.looked_at, report.found);
        };
        hooks.rescan = [](JobHooks::Looked then) { then({}); };
        hooks.interrupt_scan = [] {};
        hooks.added = [](const Job&) {};
        hooks.changed = [](const Job&) {};
        hooks.ended = [this](const Job& job) {
            ended.push_back(job.result);
            reconciler->job_ended(job);
        };
        hooks.removed = [](const Job&) {};
        jobs.emplace(loop, clock, *worker, hooks);
        reconciler.emplace(
            clock, model, *jobs, drifts, log,
            Reconciler::Hooks{.announce = [](const Decision&) {}, .again = [this] { look(); }});
    }

    void look() { reconciler->decide_and_act(); }
    void wait_for_jobs(std::size_t count) {
        test::turn_until(loop, [&] { return ended.size() >= count && !jobs->any_unfinished(); });
        ASSERT_EQ(ended.size(), count);
    }
    // By somebody else.
    void change(std::uint64_t index, BlockState state, Zone zone) {
        backend->add(index, state, zone);
        const std::vector<BlockIndex> one{b(index)};
        model.topology = with_blocks(model.topology, one, {{backend->blocks[b(index)]}});
        look();
    }
    void refuse(std::uint64_t index, int errnum, int times = 1) {
        for (int i = 0; i < times; ++i)
            backend->refusals[b(index)].push_back(FakeBackend::kernel_says(b(index), errnum).value());
    }
    DeviceNote& note() { return model.notes.at("dax0.0"); }
    // Policy is carried out and has been seen to be.
    void settle() {
        look();
        wait_for_jobs(1);
        look();
        ASSERT_TRUE(note().settled);
    }

    EventLoop loop;
    test::FakeClock clock;
    Log log{false};
    test::TempDir folder;
    DriftBook drifts{folder.path(), "this boot"};
    Holds holds;
    Model model{holds};
    FakeBackend* backend = nullptr;
    std::optional<Worker> worker;
    std::optional<Jobs> jobs;
    std::optional<Reconciler> reconciler;
    std::vector<JobResult> ended;
};

TEST_F(ReconcilerTest, CarriesPolicyOutOnceAndRests) {
    settle();
    EXPECT_EQ(ended.front(), JobResult::done);
    look();
    EXPECT_FALSE(jobs->any_unfinished());
    clock.pass(10 * second);  // the job is shown for so long
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(ReconcilerTest, ReportsDriftUntilItIsOver) {
    settle();
    change(9, BlockState::offline, Zone::none);
    EXPECT_FALSE(jobs->any_unfinished());
    ASSERT_TRUE(note().trouble);
    EXPECT_THAT(note().trouble->error.text(), HasSubstr("changed by somebody else"));
    change(9, BlockState::online, Zone::movable);
    EXPECT_FALSE(note().trouble);
}

TEST_F(ReconcilerTest, ReportedDriftIsStillReportedAfterARestart) {
    settle();
    change(9, BlockState::offline, Zone::none);
    ASSERT_TRUE(note().trouble);
    DriftBook kept{folder.path(), "this boot"};
    ASSERT_TRUE(kept.load());
    model.notes.clear();
    reconciler.emplace(clock, model, *jobs, kept, log,
                       Reconciler::Hooks{.announce = [](const Decision&) {}, .again = [this] { look(); }});
    look();
    EXPECT_FALSE(jobs->any_unfinished());
    ASSERT_TRUE(note().trouble);
    EXPECT_THAT(note().trouble->error.text(), HasSubstr("before the daemon was started"));
    look();
    EXPECT_TRUE(note().trouble);
    // Another rule is another wish.
    model.policy.rules[0].goal.zone = ZoneWish::kernel;
    look();
    EXPECT_TRUE(jobs->any_unfinished());
    test::turn_until(loop, [&] { return !jobs->any_unfinished(); });
    look();
    EXPECT_FALSE(note().trouble);
    EXPECT_FALSE(kept.contains(model.topology, model.topology.dax_devices[0], model.decisions[0]));
}

TEST_F(ReconcilerTest, ReportedDriftEndsWithTheBoot) {
    settle();
    change(9, BlockState::offline, Zone::none);
    ASSERT_TRUE(note().trouble);
    const auto& device = model.topology.dax_devices.front();
    const auto knows = [&](const std::string& boot) {
        DriftBook book{folder.path(), boot};
        EXPECT_TRUE(book.load());
        return book.contains(model.topology, device, model.decisions.front());
    };
    EXPECT_TRUE(knows("this boot"));
    EXPECT_FALSE(knows("another boot"));
    EXPECT_TRUE(knows("")) << "it cannot be told";
}

TEST(DriftBook, ThatCannotBeReadSaysSoAndIsEmpty) {
    const test::TempDir folder;
    std::filesystem::create_directory(folder.path() / "drift");
    DriftBook book{folder.path(), "this boot"};
    const auto loaded = book.load();
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().text(), HasSubstr("drift"));
}

// Another process has removed the region and made it again: that is other memory, on the same place.
TEST_F(ReconcilerTest, ReportedDriftEndsWithTheDevice) {
    settle();
    change(9, BlockState::offline, Zone::none);
    ASSERT_TRUE(note().trouble);
    ASSERT_FALSE(jobs->any_unfinished());
    const DaxDevice device = model.topology.dax_devices.front();
    model.topology.dax_devices.clear();
    look();
    model.topology.dax_devices = {device};
    ++model.topology.dax_devices.front().id.generation;
    look();
    EXPECT_TRUE(jobs->any_unfinished());
}

TEST_F(ReconcilerTest, ReportedDriftIsNoTroubleUnderAHold) {
    settle();
    change(9, BlockState::offline, Zone::none);
    ASSERT_TRUE(note().trouble);
    holds.devices = {hold_key(model.topology, model.topology.dax_devices.front())};
    look();
    EXPECT_FALSE(note().trouble);
}

TEST_F(ReconcilerTest, EnforcesTwiceInARowAndForgetsFightsOfLongAgo) {
    model.policy.rules[0].goal.drift = Drift::enforce;
    settle();
    for (std::size_t fight = 1; fight <= 2; ++fight) {
        change(9, BlockState::offline, Zone::none);
        wait_for_jobs(1 + fight);
        look();
        ASSERT_TRUE(note().settled);
        clock.pass(second);
    }
    change(9, BlockState::offline, Zone::none);
    EXPECT_FALSE(jobs->any_unfinished());
    EXPECT_THAT(note().trouble->error.text(), HasSubstr("stops fighting"));

    change(9, BlockState::online, Zone::movable);  // and there is peace
    clock.pass(601 * second);
    change(9, BlockState::offline, Zone::none);
    wait_for_jobs(4);
    EXPECT_EQ(ended.back(), JobResult::done);
}

TEST_F(ReconcilerTest, R14_TriesAgainAfterGrowingPausesAndGivesUp) {
    refuse(9, EIO, 3);
    look();
    wait_for_jobs(1);
    EXPECT_EQ(ended.back(), JobResult::partial);
    EXPECT_TRUE(note().attempts.waiting());
    look();
    EXPECT_FALSE(jobs->any_unfinished()) << "it pauses";
    clock.pass(second);
    wait_for_jobs(2);
    clock.pass(second);
    EXPECT_FALSE(jobs->any_unfinished()) << "twice as long";
    clock.pass(second);
    wait_for_jobs(3);
    EXPECT_TRUE(note().attempts.given_up());
    clock.pass(100 * second);
    look();
    EXPECT_FALSE(jobs->any_unfinished());
    ASSERT_TRUE(note().trouble);

    reconciler->forget_failures();  // apply
    look();
    wait_for_jobs(4);
    EXPECT_EQ(ended.back(), JobResult::done);
}

// zone = "auto" may want this for a moment, and then again what was settled before.
TEST_F(ReconcilerTest, AHalfFinishedRezoneOfOursIsNotBlamedOnOthers) {
    settle();
    model.policy.rules[0].goal.zone = ZoneWish::kernel;
    refuse(9, EIO, 1);
    look();
    wait_for_jobs(2);
    EXPECT_EQ(ended.back(), JobResult::partial);
    model.policy.rules[0].goal.zone = ZoneWish::movable;
    clock.pass(second);
    wait_for_jobs(3);
    EXPECT_EQ(ended.back(), JobResult::done);
    look();
    EXPECT_FALSE(note().trouble);
    for (const auto& [index, block] : backend->blocks) EXPECT_EQ(block.zone, Zone::movable);
}

TEST_F(ReconcilerTest, WhatACallersFailedJobLeavesIsNotBlamedOnOthers) {
    settle();
    refuse(9, EIO, 1);
    JobOrder offline;
    offline.operation = "offline";
    offline.target = model.topology.dax_devices[0].id;
    offline.goal.amount = AmountNone{};
    offline.goal.drain.rollback = false;
    ASSERT_TRUE(jobs->add(offline));
    wait_for_jobs(2);
    EXPECT_EQ(ended.back(), JobResult::partial);
    look();
    wait_for_jobs(3);
    EXPECT_EQ(ended.back(), JobResult::done);
    look();
    EXPECT_FALSE(note().trouble);
}

TEST_F(ReconcilerTest, WaitsWhileBlocksArriveAndASecondLonger) {
    const std::vector<Block> all = model.topology.blocks;
    model.topology.blocks.resize(2);
    look();
    EXPECT_FALSE(jobs->any_unfinished());
    clock.pass(second / 2);
    model.topology.blocks = {all.begin(), all.begin() + 3};
    look();
    clock.pass(second - 1);
    EXPECT_FALSE(jobs->any_unfinished()) << "counted from the last arrival";
    clock.pass(1);
    EXPECT_TRUE(jobs->any_unfinished());
    test::turn_until(loop, [&] { return !jobs->any_unfinished(); });
}

}  // namespace
}  // namespace cxlmemd
