// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/step_run.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "fake_backend.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr auto b = [](std::uint64_t i) { return BlockIndex{i}; };
const DaxIdentity device{
    .name = "dax0.0", .region = "region0", .start = PhysAddr{0}, .serials = {1}, .generation = 1};

Step online(std::vector<BlockIndex> blocks) {
    return {.kind = StepKind::online,
            .mode = DaxMode::system_ram,
            .zone = Zone::movable,
            .blocks = std::move(blocks)};
}
Step offline(std::vector<BlockIndex> blocks) {
    return {.kind = StepKind::offline,
            .mode = DaxMode::system_ram,
            .zone = Zone::none,
            .blocks = std::move(blocks)};
}

class StepRun : public ::testing::Test {
 protected:
    StepReport run(const Step& step) {
        return run_step(backend, device, step, stop, [this](std::uint64_t n) { progress.push_back(n); });
    }
    FakeBackend backend;
    std::atomic<bool> stop{false};
    std::vector<std::uint64_t> progress;
};

TEST_F(StepRun, OnlinesInTheOrderOfTheStepAndReportsEveryBlock) {
    for (const std::uint64_t i : {4U, 5U, 6U}) backend.add(i, BlockState::offline, Zone::none);

    const StepReport report = run(online({b(6), b(5), b(4)}));

    EXPECT_THAT(report.reached, ElementsAre(b(6), b(5), b(4)));
    EXPECT_THAT(progress, ElementsAre(1, 2, 3));
    EXPECT_THAT(backend.writes, SizeIs(3));
    EXPECT_FALSE(report.stopped);
}

TEST_F(StepRun, SaysWhichBlocksComeAndWhenItIsOverThoughStopped) {
    for (const std::uint64_t i : {4U, 5U, 6U}) backend.add(i, BlockState::offline, Zone::none);
    const std::vector<BlockIndex> all{b(6), b(5), b(4)};
    const std::vector<BlockIndex> none;
    backend.before_write = [&](BlockIndex index) {
        EXPECT_THAT(backend.expected, ElementsAre(Pair(device.name, all)));
        stop = index == b(5);
    };
    EXPECT_THAT(run(online(all)).reached, ElementsAre(b(6), b(5)));
    EXPECT_THAT(backend.expected, ElementsAre(Pair(device.name, all), Pair(device.name, none)));
}

TEST_F(StepRun, R15_ABlockThatIsThereAlreadyIsReached) {
    backend.add(4, BlockState::online, Zone::movable);
    const StepReport report = run(online({b(4)}));
    EXPECT_THAT(report.reached, ElementsAre(b(4)));
    EXPECT_THAT(report.failed, IsEmpty());
}

TEST_F(StepRun, R15_ABlockOnlineInAnotherZoneIsAConflictNotSuccess) {
    backend.add(4, BlockState::online, Zone::kernel);
    const StepReport report = run(online({b(4)}));
    EXPECT_THAT(report.reached, IsEmpty());
    ASSERT_THAT(report.failed, SizeIs(1));
    EXPECT_EQ(report.failed[0].error.code, ErrorCode::conflict);
    EXPECT_EQ(report.failed[0].error.object, "memory block 4");
}

TEST_F(StepRun, R15_ABlockThatVanishedIsGoneAndTheOthersGoOn) {
    backend.add(5, BlockState::offline, Zone::none);
    const StepReport report = run(online({b(4), b(5)}));
    EXPECT_THAT(report.reached, ElementsAre(b(5)));
    ASSERT_THAT(report.failed, SizeIs(1));
    EXPECT_EQ(report.failed[0].error.code, ErrorCode::gone);
}

TEST_F(StepRun, R15_ABlockTheKernelWillNotOfflineIsNamedAndTheOthersGo) {
    for (const std::uint64_t i : {4U, 5U, 6U}) backend.add(i, BlockState::online, Zone::movable);
    backend.refusals[b(5)] = {FakeBackend::kernel_says(b(5), EBUSY).value()};

    const StepReport report = run(offline({b(4), b(5), b(6)}));

    EXPECT_THAT(report.reached, ElementsAre(b(4), b(6)));
    ASSERT_THAT(report.failed, SizeIs(1));
    EXPECT_EQ(report.failed[0].error.code, ErrorCode::busy);
    EXPECT_EQ(report.failed[0].error.object, "memory block 5");
}

TEST_F(StepRun, AWriteThatSucceedsButLeavesTheBlockElsewhereIsNotReached) {
    backend.add(4, BlockState::offline, Zone::none);
    // Somebody onlines it into another zone right after our own write and another's offline.
    backend.add(5, BlockState::offline, Zone::none);
    backend.before_write = [this](BlockIndex index) {
        if (index == b(5)) backend.blocks[b(4)].zone = Zone::kernel;
    };
    const StepReport report = run(online({b(4), b(5)}));
    EXPECT_THAT(report.reached, ElementsAre(b(5)));
    ASSERT_THAT(report.failed, SizeIs(1));
    EXPECT_EQ(report.failed[0].block, b(4));
}

TEST_F(StepRun, StopsBeforeTheNextBlockWhenAskedTo) {
    for (const std::uint64_t i : {4U, 5U, 6U}) backend.add(i, BlockState::offline, Zone::none);
    backend.before_write = [this](BlockIndex) { stop = true; };

    const StepReport report = run(online({b(6), b(5), b(4)}));

    EXPECT_THAT(backend.writes, SizeIs(1));
    ASSERT_TRUE(report.stopped);
    EXPECT_EQ(report.stopped->code, ErrorCode::canceled);
}

TEST_F(StepRun, R7_StopsAtOnceWhenTheOwnerIsGone) {
    for (const std::uint64_t i : {4U, 5U}) backend.add(i, BlockState::offline, Zone::none);
    backend.refusals[b(5)] = {Error{.code = ErrorCode::gone,
                                    .object = "dax0.0",
                                    .operation = "online",
                                    .errnum = ENOENT,
                                    .reason = "it is another device now",
                                    .advice = {}}};

    const StepReport report = run(online({b(5), b(4)}));

    EXPECT_THAT(backend.writes, SizeIs(1));
    ASSERT_TRUE(report.stopped);
    EXPECT_EQ(report.stopped->code, ErrorCode::gone);
}

TEST_F(StepRun, AnInterruptedWriteEndsTheStep) {
    for (const std::uint64_t i : {4U, 5U}) backend.add(i, BlockState::online, Zone::movable);
    backend.refusals[b(4)] = {FakeBackend::kernel_says(b(4), EINTR).value()};

    const StepReport report = run(offline({b(4), b(5)}));

    EXPECT_THAT(backend.writes, SizeIs(1));
    ASSERT_TRUE(report.stopped);
    EXPECT_EQ(report.stopped->errnum, EINTR);
}

Step by_state(Step step) {
    step.by_state = true;
    return step;
}

TEST_F(StepRun, ByStateIsOneWriteAndEveryBlockIsLookedAtAfterwards) {
    for (const std::uint64_t i : {4U, 5U}) backend.add(i, BlockState::online, Zone::kernel);

    const StepReport gone = run(by_state(offline({b(4), b(5)})));
    EXPECT_THAT(backend.states_set, ElementsAre(HotplugState::unplugged));
    EXPECT_THAT(gone.reached, ElementsAre(b(4), b(5)));
    EXPECT_THAT(gone.found, IsEmpty());
    EXPECT_THAT(gone.looked_at, ElementsAre(b(4), b(5)));

    // One of them the kernel did not bring online, and said nothing.
    backend.after_state = [this] {
        backend.blocks.at(b(5)).state = BlockState::offline;
        backend.blocks.at(b(5)).zone = Zone::none;
    };
    const StepReport back = run(by_state(online({b(4), b(5)})));
    EXPECT_THAT(backend.states_set, ElementsAre(HotplugState::unplugged, HotplugState::online_movable));
    EXPECT_THAT(back.reached, ElementsAre(b(4)));
    ASSERT_THAT(back.failed, SizeIs(1));
    EXPECT_EQ(back.failed[0].block, b(5));
    EXPECT_EQ(back.failed[0].error.reason, "it is offline again");
    EXPECT_FALSE(back.stopped);
    EXPECT_THAT(backend.writes, IsEmpty());
}

TEST_F(StepRun, ByStateThatIsRefusedIsRefusedForEveryBlockAndInterruptedForNone) {
    for (const std::uint64_t i : {4U, 5U}) backend.add(i, BlockState::online, Zone::movable);
    backend.state_error = Error{.code = ErrorCode::busy,
                                .object = "dax0.0",
                                .operation = "set state unplugged",
                                .errnum = EBUSY,
                                .reason = "it holds pages",
                                .advice = {}};
    const StepReport busy = run(by_state(offline({b(4), b(5)})));
    EXPECT_THAT(busy.failed, SizeIs(2));
    EXPECT_FALSE(busy.stopped);
    EXPECT_THAT(busy.reached, IsEmpty());

    backend.state_error->code = ErrorCode::canceled;
    const StepReport canceled = run(by_state(offline({b(4), b(5)})));
    EXPECT_THAT(canceled.failed, IsEmpty());
    ASSERT_TRUE(canceled.stopped);
    EXPECT_EQ(canceled.stopped->code, ErrorCode::canceled);
}

TEST_F(StepRun, AnUnplugOfNoBlocksIsOneWrite) {
    backend.add(4, BlockState::offline, Zone::none);
    const Step step{.kind = StepKind::unplug, .mode = DaxMode::system_ram, .zone = Zone::none, .blocks = {}};
    EXPECT_FALSE(run(step).stopped);
    EXPECT_THAT(backend.states_set, ElementsAre(HotplugState::unplugged));
    backend.state_error = Error{.code = ErrorCode::busy,
                                .object = "dax0.0",
                                .operation = {},
                                .errnum = EBUSY,
                                .reason = {},
                                .advice = {}};
    ASSERT_TRUE(run(step).stopped);
}

}  // namespace
}  // namespace cxlmemd
