// SPDX-License-Identifier: LGPL-2.1-or-later
// Settings of the kernel that are written, fought over and given up, on a clock that passes when it is told
// to.
#include "daemon/tuner.h"

#include <gmock/gmock.h>

#include "fake_backend.h"
#include "fake_clock.h"
#include "loop_turns.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t second = 1'000'000;

// Demotion is off, and shall be on.
class TunerTest : public ::testing::Test {
 protected:
    TunerTest() {
        auto owned = std::make_unique<FakeBackend>();
        backend = owned.get();
        worker.emplace(loop, std::move(owned));
        model.topology.features.demotion = true;
        model.topology.demotion_enabled = false;
        model.settings.demotion = DemotionWish::on;
        model.settings.retry = {.initial_usec = second, .max_usec = 4 * second, .attempts = 3};
        EXPECT_TRUE(log.set_target("null"));
        tuner.emplace(clock, *worker, model, log,
                      Tuner::Hooks{.rescan = [this](std::function<void()> then) { scan = std::move(then); },
                                   .again = [this] { tuner->act(); }});
    }
    void wait_for_writes(std::size_t count) {
        test::turn_until(loop, [&] { return backend->demotions_set >= count && !worker->busy(); });
        ASSERT_EQ(backend->demotions_set, count);
    }
    // A scan from after the write is in force.
    void seen(bool enabled) {
        model.topology.demotion_enabled = enabled;
        ASSERT_TRUE(scan);
        std::exchange(scan, {})();
    }

    EventLoop loop;
    test::FakeClock clock;
    Log log{false};
    Holds holds;
    Model model{holds};
    FakeBackend* backend = nullptr;
    std::optional<Worker> worker;
    std::optional<Tuner> tuner;
    std::function<void()> scan;
};

TEST_F(TunerTest, WhatItHasWrittenIsItsOwnUntilAScanHasSeenIt) {
    tuner->act();
    wait_for_writes(1);
    EXPECT_TRUE(tuner->busy());
    // The old scan, as often as it may be asked: scans fail.
    for (int i = 0; i < 5; ++i) tuner->act();
    EXPECT_EQ(backend->demotions_set, 1U);
    seen(true);
    EXPECT_FALSE(tuner->busy());
    EXPECT_THAT(model.tuning_conflicts, IsEmpty());
}

TEST_F(TunerTest, StopsFightingAndForgetsFightsOfLongAgo) {
    tuner->act();
    wait_for_writes(1);
    seen(true);
    clock.pass(second);
    model.topology.demotion_enabled = false;  // by somebody else
    tuner->act();
    wait_for_writes(2);
    seen(true);
    clock.pass(601 * second);
    model.topology.demotion_enabled = false;
    tuner->act();
    wait_for_writes(3);
    seen(true);
    clock.pass(second);
    model.topology.demotion_enabled = false;
    tuner->act();
    EXPECT_FALSE(worker->busy());
    ASSERT_THAT(model.tuning_conflicts, SizeIs(1));
    EXPECT_THAT(model.tuning_conflicts[0].message, HasSubstr("stops fighting"));
}

TEST_F(TunerTest, R14_TriesAgainAfterGrowingPausesAndGivesUp) {
    backend->demotion_error = Error{.code = ErrorCode::failed, .object = "demotion", .errnum = EIO};
    tuner->act();
    wait_for_writes(1);
    tuner->act();
    EXPECT_FALSE(worker->busy()) << "it pauses";
    clock.pass(second);
    wait_for_writes(2);
    clock.pass(second);
    EXPECT_FALSE(worker->busy()) << "twice as long";
    clock.pass(second);
    wait_for_writes(3);
    clock.pass(1000 * second);
    tuner->act();
    EXPECT_FALSE(worker->busy()) << "given up";
    ASSERT_THAT(model.tuning_conflicts, SizeIs(1));
    EXPECT_THAT(model.tuning_conflicts[0].message, HasSubstr("EIO"));
    backend->demotion_error.reset();
    tuner->forget();
    tuner->act();
    wait_for_writes(4);
    seen(true);
    EXPECT_THAT(model.tuning_conflicts, IsEmpty());
}

}  // namespace
}  // namespace cxlmemd
