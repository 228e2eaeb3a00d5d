// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/jobs.h"

#include <gmock/gmock.h>
#include <poll.h>

#include <chrono>
#include <future>

#include "fake_backend.h"
#include "fake_clock.h"
#include "policy/block_change.h"

namespace cxlmemd {
namespace {

using test::FakeBackend;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto b = [](std::uint64_t i) { return BlockIndex{i}; };
constexpr std::uint64_t MiB128 = 128ULL << 20;

// A device of blocks 8..11 on a machine whose kernel is a FakeBackend.
class JobQueue : public ::testing::Test {
 protected:
    JobQueue() {
        auto owned = std::make_unique<FakeBackend>();
        backend = owned.get();
        device.id = {.name = "dax0.0",
                     .region = "region0",
                     .start = PhysAddr{8 * MiB128},
                     .serials = {1},
                     .generation = 1};
        device.target_node = NodeId{1};
        device.size = Bytes{4 * MiB128};
        device.ranges = {{PhysAddr{8 * MiB128}, Bytes{4 * MiB128}}};
        device.mode = DaxMode::system_ram;
        worker.emplace(loop, std::move(owned));
        JobHooks hooks;
        hooks.topology = [this]() -> const Topology& { return topology; };
        hooks.blocks_changed = [this](const StepReport& r) {
            topology = with_blocks(topology, r.looked_at, r.found);
        };
        hooks.rescan = [this](JobHooks::Looked then) {
            ++looks;
            if (scan_error) {
                worker->submit([this, then](Backend&) -> Worker::Completion {
                    return [this, then] { then(scan_error); };
                });
                return;
            }
            worker->submit([this, then](Backend& any) -> Worker::Completion {
                const std::vector<BlockIndex> all{b(8), b(9), b(10), b(11)};
                auto found = any.read_blocks(all);
                return [this, then, all, found] {
                    if (topology_after_mode) topology.dax_devices[0].mode = *topology_after_mode;
                    topology = with_blocks(topology, all, *found);
                    then({});
                };
            });
        };
        hooks.interrupt_scan = [] {};
        hooks.added = [](const Job&) {};
        hooks.changed = [](const Job&) {};
        hooks.ended = [this](const Job& job) {
            ended.emplace_back(job.id, job.result);
            last_error = job.error;
        };
        hooks.removed = [](const Job&) {};
        jobs.emplace(loop, clock, *worker, hooks);
    }

    void machine(BlockState state, Zone zone) {
        for (std::uint64_t i = 8; i < 12; ++i) backend->add(i, state, zone);
        topology.block_size = Bytes{MiB128};
        topology.dax_devices = {device};
        topology.blocks.clear();
        for (const auto& [index, block] : backend->blocks) topology.blocks.push_back(block);
    }

    JobOrder order(const std::string& operation, Goal goal) {
        return {.operation = operation,
                .target = device.id,
                .goal = std::move(goal),
                .started_by = 0,
                .by_policy = operation == "policy",
                .whole_drain = operation == "offline",
                .timeout_usec = {}};
    }
    // The worker is a thread: what must be there before its first write comes between these two.
    void hold_writes() {
        backend->before_write = [backend = backend](BlockIndex) { backend->go_on.wait(false); };
    }
    void let_writes_go() {
        backend->go_on = true;
        backend->go_on.notify_all();
    }

    static Goal movable() { return {}; }
    static Goal none() {
        Goal goal;
        goal.amount = AmountNone{};
        return goal;
    }

    // Until so many jobs have ended. Time passes when there is nothing else to do, and while a write hangs.
    void run(std::size_t jobs_to_end = 1, bool time_passes_in_writes = false) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (ended.size() < jobs_to_end) {
            ASSERT_LT(std::chrono::steady_clock::now(), until) << "jobs did not end";
            const bool waits = worker->busy() && !time_passes_in_writes;
            const int done = ::sd_event_run(loop.raw(), waits ? 1'000'000 : 0);
            ASSERT_GE(done, 0);
            if (done == 0 && !waits) clock.pass(1'000);
        }
    }

    EventLoop loop;
    test::FakeClock clock;
    FakeBackend* backend = nullptr;  // its blocks may be looked at when no step runs
    DaxDevice device;
    Topology topology;
    std::optional<Worker> worker;
    std::optional<Jobs> jobs;
    std::vector<std::pair<std::uint32_t, JobResult>> ended;
    std::optional<Error> last_error;
    std::optional<Error> scan_error;  // of every scan
    std::optional<DaxMode> topology_after_mode;
    std::size_t looks = 0;
};

TEST_F(JobQueue, BringsADeviceOnlineHighestBlockFirst) {
    machine(BlockState::offline, Zone::none);
    const auto id = jobs->add(order("online", movable()));
    run();
    EXPECT_THAT(ended, ElementsAre(std::pair{*id, JobResult::done}));
    ASSERT_THAT(backend->writes, SizeIs(4));
    EXPECT_EQ(backend->writes.front().first, b(11));
    EXPECT_THAT(jobs->find(*id)->progress.finished, SizeIs(4));
}

TEST_F(JobQueue, RezonesByOfflineThenOnline) {
    machine(BlockState::online, Zone::kernel);
    jobs->add(order("policy", movable()));
    run();
    EXPECT_EQ(ended[0].second, JobResult::done);
    EXPECT_THAT(backend->writes, SizeIs(8));
    for (const auto& [index, block] : backend->blocks) EXPECT_EQ(block.zone, Zone::movable);
}

TEST_F(JobQueue, CommitsWhenNothingElseIsInTheWayAndBeforeAnythingIsDone) {
    machine(BlockState::online, Zone::kernel);
    hold_writes();
    std::vector<std::uint32_t> committed;
    const Jobs::Commit commit = [&](std::uint32_t id) -> Result<> {
        EXPECT_THAT(backend->writes, SizeIs(0));
        committed.push_back(id);
        return {};
    };
    const auto id = jobs->add(order("offline", none()), {}, commit);
    EXPECT_EQ(jobs->add(order("offline", none()), {}, commit), id) << "the same one, committed once more";
    EXPECT_THAT(committed, ElementsAre(*id, *id));
    const auto refused = jobs->add(order("online", movable()), {}, commit);
    let_writes_go();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::busy);
    EXPECT_THAT(committed, SizeIs(2)) << "a refused call commits nothing";
    run();
}

TEST_F(JobQueue, AFailedCommitFailsTheCallAndTouchesNothing) {
    machine(BlockState::online, Zone::kernel);
    const auto policy = jobs->add(order("policy", movable()));
    const Error full{.code = ErrorCode::failed, .object = "holds", .operation = "write", .reason = "full"};
    const auto failed =
        jobs->add(order("offline", none()), {}, [&](std::uint32_t) -> Result<> { return fail(full); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error(), full);
    run();
    EXPECT_THAT(ended, ElementsAre(std::pair{*policy, JobResult::done})) << "nor has policy's job given way";
}

TEST_F(JobQueue, R14_BacksOffWithGrowingPausesAndTriesAgain) {
    machine(BlockState::offline, Zone::none);
    for (std::uint64_t i = 8; i < 12; ++i) {
        backend->refusals[b(i)] = {FakeBackend::kernel_says(b(i), EAGAIN).value(),
                                   FakeBackend::kernel_says(b(i), EBUSY).value()};
    }
    std::vector<std::uint64_t> tries;  // of block 8
    backend->before_write = [&](BlockIndex index) {
        if (index == b(8)) tries.push_back(clock.now_usec());
    };
    jobs->add(order("online", movable()));
    run();
    EXPECT_EQ(ended[0].second, JobResult::done);
    EXPECT_THAT(backend->writes, SizeIs(12));
    ASSERT_THAT(tries, SizeIs(3));
    EXPECT_GE(tries[1] - tries[0], 50'000U);
    EXPECT_GE(tries[2] - tries[1], 100'000U);
    EXPECT_LT(tries[2] - tries[0], 160'000U);
}

TEST_F(JobQueue, Drain_PutsBackWhatItTookWhenOneBlockIsPinned) {
    machine(BlockState::online, Zone::movable);
    Goal goal = none();
    goal.drain.retries = 1;
    for (int i = 0; i < 4; ++i)
        backend->refusals[b(10)].push_back(FakeBackend::kernel_says(b(10), EBUSY).value());
    jobs->add(order("offline", goal));
    run();
    EXPECT_EQ(ended[0].second, JobResult::failed);
    for (const auto& [index, block] : backend->blocks) EXPECT_EQ(block.zone, Zone::movable) << index.value();
    ASSERT_TRUE(last_error);
    EXPECT_THAT(last_error->text(), HasSubstr("memory block 10"));
}

TEST_F(JobQueue, Drain_LeavesWhatItTookWithoutRollback) {
    machine(BlockState::online, Zone::movable);
    Goal goal = none();
    goal.drain.retries = 0;
    goal.drain.rollback = false;
    for (int i = 0; i < 4; ++i)
        backend->refusals[b(10)].push_back(FakeBackend::kernel_says(b(10), EBUSY).value());
    jobs->add(order("offline", goal));
    run();
    EXPECT_EQ(ended[0].second, JobResult::partial);
    EXPECT_EQ(backend->blocks[b(10)].state, BlockState::online);
    EXPECT_EQ(backend->blocks[b(8)].state, BlockState::offline);
}

TEST_F(JobQueue, AHangingWriteIsInterruptedWhenTheTimeIsUp) {
    machine(BlockState::online, Zone::movable);
    backend->before_write = [this](BlockIndex index) {
        if (index != b(9) || backend->blocks[b(9)].state != BlockState::online) return;
        ::poll(nullptr, 0, -1);  // as a write that the kernel retries for ever; a signal ends it
        backend->refusals[b(9)] = {FakeBackend::kernel_says(b(9), EINTR).value()};
    };
    JobOrder hanging = order("offline", none());
    hanging.timeout_usec = 100'000;
    jobs->add(std::move(hanging));
    run(1, true);
    EXPECT_EQ(ended[0].second, JobResult::timeout);
    for (const auto& [index, block] : backend->blocks)
        EXPECT_EQ(block.state, BlockState::online) << index.value();
}

TEST_F(JobQueue, TheSameOrderSharesOneJobAndAnotherGetsBusyNamingIt) {
    machine(BlockState::offline, Zone::none);
    const auto first = jobs->add(order("online", movable()));
    const auto same = jobs->add(order("online", movable()));
    const auto other = jobs->add(order("offline", none()));
    EXPECT_EQ(*first, *same);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::busy);
    EXPECT_THAT(other.error().text(), HasSubstr("job " + std::to_string(*first)));
    run();
    EXPECT_THAT(ended, SizeIs(1));
}

TEST_F(JobQueue, APolicyJobGivesWayToACallers) {
    machine(BlockState::offline, Zone::none);
    hold_writes();
    const auto policy = jobs->add(order("policy", movable()));
    const auto caller = jobs->add(order("offline", none()));
    let_writes_go();
    ASSERT_TRUE(caller);
    run(2);
    EXPECT_THAT(ended,
                ElementsAre(std::pair{*policy, JobResult::canceled}, std::pair{*caller, JobResult::done}));
    for (const auto& [index, block] : backend->blocks) EXPECT_EQ(block.state, BlockState::offline);
}

TEST_F(JobQueue, R7_EndsAsGoneWhenTheDeviceIsAnotherOne) {
    machine(BlockState::offline, Zone::none);
    topology.dax_devices[0].id.generation = 2;
    jobs->add(order("online", movable()));
    run();
    EXPECT_EQ(ended[0].second, JobResult::gone);
    EXPECT_THAT(backend->writes, IsEmpty());
}

TEST_F(JobQueue, R11_NeverAsksToUnbindWhileABlockWouldNotGoOffline) {
    machine(BlockState::online, Zone::movable);
    backend->mode_error = Error{.code = ErrorCode::failed,
                                .object = "dax0.0",
                                .operation = "set-mode",
                                .errnum = 0,
                                .reason = "it must not have been asked",
                                .advice = {}};
    Goal goal;
    goal.mode = ModeWish::devdax;
    goal.drain.retries = 0;
    for (int i = 0; i < 4; ++i)
        backend->refusals[b(8)].push_back(FakeBackend::kernel_says(b(8), EBUSY).value());
    JobOrder mode = order("set-mode", goal);
    mode.whole_drain = true;
    jobs->add(std::move(mode));
    run();
    EXPECT_EQ(ended[0].second, JobResult::failed);
    ASSERT_TRUE(last_error);
    EXPECT_THAT(last_error->text(), HasSubstr("memory block 8"));
    EXPECT_EQ(backend->blocks[b(11)].state, BlockState::online) << "put back";
}

TEST_F(JobQueue, R14_ADriversStepThatNobodyCanLookAtIsNotRepeated) {
    machine(BlockState::offline, Zone::none);
    scan_error = Error{.code = ErrorCode::failed, .object = "/sys", .operation = "read", .errnum = EIO};
    Goal goal;
    goal.mode = ModeWish::devdax;
    goal.drain.retries = 1;
    jobs->add(order("set-mode", goal));
    run();
    EXPECT_EQ(ended[0].second, JobResult::failed);
    ASSERT_TRUE(last_error);
    EXPECT_THAT(last_error->text(), HasSubstr("EIO"));
    EXPECT_EQ(backend->modes_set, 1U);
    EXPECT_EQ(looks, 3U) << "retries + 2";
}

TEST_F(JobQueue, R14_ADriverThatIsChangedBackEachTimeIsGivenUp) {
    machine(BlockState::offline, Zone::none);  // and the topology shows kmem, whatever was done
    Goal goal;
    goal.mode = ModeWish::devdax;
    jobs->add(order("set-mode", goal));
    run();
    EXPECT_EQ(ended[0].second, JobResult::failed);
    ASSERT_TRUE(last_error);
    EXPECT_THAT(last_error->text(), HasSubstr("another process changed the driver of dax0.0 back"));
    EXPECT_EQ(backend->modes_set, 4U);
}

TEST_F(JobQueue, AnInterruptionThatNobodyAskedForEndsNoJob) {
    machine(BlockState::offline, Zone::none);
    // As by a late "remove" event of a device that had the name before.
    backend->mode_error = FakeBackend::kernel_says(b(8), EINTR).value();
    backend->mode_errors_left = 1;
    backend->after_mode = [this] {
        backend->blocks.clear();
        topology_after_mode = DaxMode::devdax;
    };
    Goal goal;
    goal.mode = ModeWish::devdax;
    jobs->add(order("set-mode", goal));
    run();
    EXPECT_EQ(ended[0].second, JobResult::done);
    EXPECT_EQ(backend->modes_set, 2U);
}

TEST_F(JobQueue, CancelOfAnUnknownJobIsNotFound) {
    EXPECT_EQ(jobs->cancel(4711).error().code, ErrorCode::not_found);
}

TEST_F(JobQueue, CancelEndsAfterTheBlockAtHand) {
    machine(BlockState::offline, Zone::none);
    // The first write ends only once the cancel has been asked for, however late this thread gets its turn.
    std::promise<void> asked;
    backend->before_write = [went = asked.get_future().share()](BlockIndex) { went.wait(); };
    const auto id = jobs->add(order("online", movable()));
    const auto canceled = jobs->cancel(*id);
    asked.set_value();
    ASSERT_TRUE(canceled);
    run();
    EXPECT_EQ(ended[0].second, JobResult::canceled);
    EXPECT_LT(backend->writes.size(), 4U);
}

}  // namespace
}  // namespace cxlmemd
