// How a job moves on: plan anew, run one step on the worker, look at what came of it (of a driver's step:
// job_drivers.cpp).
#include <algorithm>
#include <set>

#include "daemon/jobs.h"
#include "daemon/put_back.h"
#include "policy/auto_zone.h"

namespace cxlmemd {

namespace {

constexpr std::uint64_t first_pause_usec = 50'000;
constexpr std::uint64_t longest_pause_usec = 2'000'000;

// The plan counts on kernel memory that other devices will have online; it may have come to nothing, or not
// be there yet. Leaves of its steps what the machine as it is now has room for in ZONE_MOVABLE: neither
// brings a block there nor takes one offline for that. True if something was left out.
bool keep_to_ratio(const Topology& topology, const Goal& goal, std::vector<DeviceStep>& steps) {
    if (goal.zone != ZoneWish::automatic || !goal.split) return false;
    const auto online = std::ranges::find_if(steps, [](const DeviceStep& each) {
        return each.step.kind == StepKind::online && each.step.zone == Zone::movable;
    });
    if (online == steps.end()) return false;
    const DaxDevice* device = find_dax(topology, online->device);
    if (device == nullptr) return false;  // the step finds out by itself
    std::uint64_t left = movable_allowance(topology, *device, goal.split->max_ratio);

    // Those that are offline come first; then the highest of those that would be rezoned.
    const auto is_online = [&](BlockIndex index) {
        const Block* block = find_block(topology, index);
        return block != nullptr && block->state == BlockState::online;
    };
    std::set<BlockIndex> without;
    for (const bool rezoned : {false, true}) {
        for (const BlockIndex block : online->step.blocks) {
            if (is_online(block) != rezoned) continue;
            if (left != 0) {
                --left;
            } else {
                without.insert(block);
            }
        }
    }
    for (DeviceStep& each : steps)
        std::erase_if(each.step.blocks, [&](BlockIndex block) { return without.contains(block); });
    std::erase_if(steps, [](const DeviceStep& each) {
        return each.step.blocks.empty() &&
               (each.step.kind == StepKind::online || each.step.kind == StepKind::offline);
    });
    return !without.empty();
}

// A block that is undone so often within one job is given up.
constexpr std::uint32_t most_undone = 3;

Error undone_again(const JobOrder& order, BlockIndex block) {
    return {.code = ErrorCode::conflict,
            .object = name_of(order.target),
            .operation = order.operation,
            .errnum = 0,
            .reason = "somebody else undid memory block " + std::to_string(block.value()) + " " +
                      std::to_string(most_undone + 1) + " times while the job ran",
            .advice = "find who changes it"};
}

Error no_room(const JobOrder& order) {
    return {.code = ErrorCode::conflict,
            .object = name_of(order.target),
            .operation = "online",
            .errnum = 0,
            .reason =
                "max_movable_ratio leaves no room in ZONE_MOVABLE at this moment: kernel memory that the "
                "plan counts on is not online",
            .advice = "it goes on when that memory is; see what keeps the other devices"};
}

// If such a job fails, nothing of what it did will stay.
bool is_all_or_nothing(const JobOrder& order) {
    return order.whole_drain && order.goal.drain.rollback;
}

}  // namespace

void Jobs::count(Job& job, const std::vector<DeviceStep>& steps, const Step* next) {
    std::vector<BlockIndex> due;  // sorted; a block as often as it will be changed
    for (const DeviceStep& each : steps) {
        for (const BlockIndex block : each.step.blocks) {
            if (!job.failures.given_up.contains(block)) due.push_back(block);
        }
    }
    std::ranges::sort(due);
    // What was due and no longer is has been done, by this job or by somebody else.
    for (const BlockIndex block : job.progress.pending) {
        if (!std::ranges::binary_search(due, block) && !job.failures.given_up.contains(block))
            job.progress.finished.insert(block);
    }
    job.progress.pending = due;
    job.progress.pending.erase(std::unique(job.progress.pending.begin(), job.progress.pending.end()),
                               job.progress.pending.end());
    const std::size_t given_up_before = job.failures.given_up.size();
    for (const BlockIndex block : job.progress.pending) {
        // Done, and due again: somebody undid it while the job was at the others.
        if (job.progress.finished.erase(block) != 0 && ++job.failures.undone[block] > most_undone) {
            job.failures.given_up.insert(block);
            job.error = undone_again(job.order, block);
        }
    }
    job.progress.changes_left = due.size();
    job.progress.blocks_total = job.progress.finished.size() + job.progress.pending.size() + given_up_before;
    job.progress.step_reached = 0;
    const auto changes_once = [&](BlockIndex block) {
        return std::ranges::equal_range(due, block).size() <= 1;
    };
    job.progress.step_finishes = next != nullptr && (due.size() == job.progress.pending.size() ||
                                                     std::ranges::all_of(next->blocks, changes_once));
}

void Jobs::advance(Job& job) {
    const Topology& topology = hooks_.topology();
    if (job.destroyed) {
        job.error.reset();  // of a try before
        return finish(job, JobResult::done);
    }
    if (!is_there(topology, job.order.target)) return finish(job, JobResult::gone);

    if (job.rolling_back) {
        auto step = put_back_step(job, topology);
        if (step && !job.rollback_stopped) return run(job, std::move(*step));
        if (job.looked_again) return finish(job, job.result);
        job.looked_again = true;
        return look_again(job);
    }
    if (job.stop_reason != StopReason::none) return end_or_roll_back(job, result_of(job.stop_reason));

    const JointPlan plan = plan_job(topology, job.order.target, job.order.goal);
    std::vector<DeviceStep> steps = plan.steps;
    job.no_room = keep_to_ratio(topology, job.order.goal, steps);
    std::optional<DeviceStep> next;
    for (const DeviceStep& each : steps) {
        if (each.step.blocks.empty()) {
            // Never past blocks that would not go offline, nor past a device that is still bound (R11).
            if (&each == &steps.front()) next = each;
            break;
        }
        DeviceStep rest = each;
        std::erase_if(rest.step.blocks,
                      [&](BlockIndex block) { return job.failures.given_up.contains(block); });
        if (!rest.step.blocks.empty()) {
            next = std::move(rest);
            break;
        }
        // The other devices would be drained only to be put back.
        if (each.step.kind == StepKind::offline && is_all_or_nothing(job.order)) break;
    }
    count(job, plan.steps, next ? &next->step : nullptr);
    if (next) return run(job, std::move(*next));

    if (!job.looked_again) {
        // What follows from the blocks (node sizes, coordinates, tiers) is shown before the job ends.
        job.looked_again = true;
        return look_again(job);
    }
    if (job.no_room && !job.error) job.error = no_room(job.order);
    if (plan.blocked && !job.error) job.error = plan.blocked;
    if (plan.steps.empty() && !plan.blocked) {
        job.error.reset();
        return finish(job, JobResult::done);
    }
    if (job.stop_reason == StopReason::timeout) return end_or_roll_back(job, JobResult::timeout);
    const bool nothing_done = job.progress.finished.empty() || is_all_or_nothing(job.order);
    end_or_roll_back(job, nothing_done ? JobResult::failed : JobResult::partial);
}

void Jobs::look_again(Job& job) {
    busy_ = true;
    hooks_.rescan([this, id = job.id] {
        busy_ = false;
        ready_.push_front(id);
        pump();
    });
}

void Jobs::run(Job& job, DeviceStep next) {
    job.looked_again = false;
    const bool first = job.state == JobState::waiting;
    job.state = JobState::running;
    if (first) job.progress.began_usec = loop_.now_usec();
    arm_deadline(job, next.step);
    busy_ = true;
    const std::uint32_t id = job.id;
    const auto stop = job.rolling_back ? std::make_shared<std::atomic<bool>>(false) : job.stop;
    job.stop = stop;
    job.task = worker_.submit(
        [this, id, target = job.order.target, next, stop](Backend& backend) -> Worker::Completion {
            StepReport report;
            if (next.step.kind == StepKind::destroy_region) {
                auto done = backend.destroy_region(std::get<RegionIdentity>(target));
                if (!done) report.stopped = done.error();
            } else {
                report = run_step(backend, next.device, next.step, *stop,
                                  [this](std::uint64_t reached) { worker_.progress(reached); });
            }
            return [this, id, next, report = std::move(report)] { step_done(id, next, report); };
        },
        [this, id](std::uint64_t reached) {
            Job* running = get(id);
            if (running == nullptr || running->task == 0) return;
            running->progress.step_reached = reached;
            running->progressed = true;
            tell(*running);
        });
    if (first) tell(job);
}

void Jobs::tell(Job& job) {
    const std::uint64_t done = job.progress.changes_done + job.progress.step_reached;
    const std::uint64_t all = job.progress.changes_done + job.progress.changes_left;
    // While it puts back, it moves away from its goal: the mark stays where it was.
    if (all != 0 && !job.rolling_back) {
        job.progress.fraction = std::max(job.progress.fraction,
                                         std::min(1.0, static_cast<double>(done) / static_cast<double>(all)));
    }
    if (job.shown) hooks_.changed(job);
}

// A write that hangs in the kernel must not hang the job: the draining phase has a limit of its own.
void Jobs::arm_deadline(Job& job, const Step& step) {
    if (job.order.timeout_usec) return;  // the whole job's, armed at its start
    if (step.kind != StepKind::offline) {
        job.deadline.reset();
        return;
    }
    if (job.deadline || job.order.goal.drain.timeout_usec == 0) return;
    job.progressed = false;
    job.deadline = loop_.add_timer(job.order.goal.drain.timeout_usec, [this, id = job.id, step] {
        Job* late = get(id);
        if (late == nullptr) return;
        if (!late->progressed) return request_stop(*late, StopReason::timeout);
        late->deadline.reset();
        arm_deadline(*late, step);
    });
}

void Jobs::step_done(std::uint32_t id, const DeviceStep& done, const StepReport& report) {
    const Step& step = done.step;
    busy_ = false;
    Job* job = get(id);
    if (job != nullptr) {
        job->task = 0;
        job->interrupter.reset();
        job->progress.step_reached = 0;
    }
    if (job == nullptr || job->state == JobState::finished) {
        hooks_.blocks_changed(report);
        return pump();
    }

    if (step.kind == StepKind::set_mode || step.kind == StepKind::destroy_region) {
        return driver_done(*job, done, report);
    }

    job->progress.usec_in_writes += report.usec_in_writes;
    for (const BlockIndex block : report.reached) {
        if (step.kind == StepKind::offline) {
            if (const Block* before = find_block(hooks_.topology(), block))
                job->undo.taken[block] = before->zone;
        } else {
            job->undo.taken.erase(block);
        }
        if (job->progress.step_finishes && !job->rolling_back) job->progress.finished.insert(block);
    }
    job->progress.changes_done += report.reached.size();
    job->progress.changes_left -= std::min<std::uint64_t>(job->progress.changes_left, report.reached.size());
    if (!report.reached.empty()) job->progressed = true;
    note_failures(*job, done, report);
    hooks_.blocks_changed(report);
    tell(*job);

    if (report.stopped && report.stopped->code == ErrorCode::gone) {
        busy_ = true;
        return hooks_.rescan([this, id, owner = done.device] {
            busy_ = false;
            Job* again = get(id);
            if (again != nullptr && again->state != JobState::finished) {
                lost_owner(*again, owner);
            }
            pump();
        });
    }
    if (report.stopped && report.stopped->code != ErrorCode::canceled) job->error = report.stopped;
    pause_or_continue(*job, !report.reached.empty());
    pump();
}

void Jobs::note_failures(Job& job, const DeviceStep& done, const StepReport& report) {
    for (const BlockFailure& failure : report.failed) {
        if (failure.error.code == ErrorCode::canceled) {
            job.failures.interrupted = failure.block;  // no failure of its own, but where the job stood
            continue;
        }
        const std::uint32_t tries = ++job.failures.tries[failure.block];
        const bool hopeless = failure.error.code != ErrorCode::busy || tries > job.order.goal.drain.retries;
        if (!hopeless) continue;
        job.failures.given_up.insert(failure.block);
        if (job.rolling_back) continue;
        Error error = failure.error;
        if (error.object != done.device.name) error.object = done.device.name + ": " + error.object;
        if (error.operation.empty()) {
            error.operation = done.step.kind == StepKind::offline ? "offline" : "online";
        }
        if (!job.error || job.error->errnum == 0) job.error = error;
    }
}

void Jobs::pause_or_continue(Job& job, bool progress) {
    const std::uint32_t id = job.id;
    if (progress || job.stop_reason != StopReason::none) {
        job.failures.pause_usec = 0;
        job.failures.fruitless = 0;
        ready_.push_front(id);
        return;
    }
    // Blocks have their own count of tries; this is for steps that do not get as far as a block.
    if (++job.failures.fruitless > job.order.goal.drain.retries + 1) {
        return job.rolling_back ? finish(job, job.result) : end_or_roll_back(job, JobResult::failed);
    }
    job.failures.pause_usec = job.failures.pause_usec == 0
                                  ? first_pause_usec
                                  : std::min(job.failures.pause_usec * 2, longest_pause_usec);
    job.pause = loop_.add_timer(job.failures.pause_usec, [this, id] {
        if (get(id) == nullptr) return;
        ready_.push_back(id);
        pump();
    });
}

void Jobs::end_or_roll_back(Job& job, JobResult result) {
    const bool did_something = !job.undo.taken.empty() || !job.undo.unbound.empty();
    const bool wants = job.order.goal.drain.rollback && did_something && !shutting_down_ &&
                       job.stop_reason != StopReason::superseded &&
                       (job.order.whole_drain || job.stop_reason != StopReason::none);
    if (result == JobResult::timeout && (!job.error || job.failures.interrupted)) {
        job.error = Error{.code = ErrorCode::timed_out,
                          .object = name_of(job.order.target),
                          .operation = job.order.operation,
                          .errnum = 0,
                          .reason = "the time is up",
                          .advice = {}};
        if (job.failures.interrupted) {
            job.error->reason +=
                ": the kernel was still at memory block " + std::to_string(job.failures.interrupted->value());
        }
    }
    if (result == JobResult::canceled && !job.error) {
        job.error = Error{.code = ErrorCode::canceled,
                          .object = name_of(job.order.target),
                          .operation = job.order.operation,
                          .errnum = 0,
                          .reason = job.stop_reason == StopReason::superseded
                                        ? "policy or a caller wants something else now"
                                        : "it was canceled",
                          .advice = {}};
    }
    if (!wants) return finish(job, result);
    job.result = result;
    job.rolling_back = true;
    job.failures.given_up.clear();
    job.failures.tries.clear();
    job.deadline.reset();
    ready_.push_front(job.id);
    job.afterlife = loop_.add_deferred([this] { pump(); });
}

}  // namespace cxlmemd
