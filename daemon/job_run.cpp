// SPDX-License-Identifier: LGPL-2.1-or-later
// How a job moves on: plan anew, run one step on the worker, look at what came of it (of a driver's step:
// job_drivers.cpp; how it ends: job_end.cpp).
#include <algorithm>
#include <set>

#include "daemon/jobs.h"
#include "policy/auto_zone.h"

namespace cxlmemd {

namespace {

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

Error driver_undone(const JobOrder& order, const std::string& dax) {
    return {.code = ErrorCode::conflict,
            .object = name_of(order.target),
            .operation = order.operation,
            .errnum = 0,
            .reason = "another process changed the driver of " + dax + " back " +
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
    stop_drain_clock(job);
    if (job.destroyed) {
        if (!job.looked_again && job.stop_reason == StopReason::none) return look_again(job);
        job.error.reset();  // of a try before
        return finish(job, JobResult::done);
    }
    if (!is_there(topology, job.order.target)) return finish(job, JobResult::gone);
    if (job.look_due) return job.rollback_stopped ? finish_unseen(job) : look_again(job);
    if (job.rolling_back()) return put_back(job);
    if (job.ending) {
        if (job.looked_again || job.state == JobState::waiting) return finish(job, job.ending->result);
        return look_again(job);
    }
    if (job.lost_owner) {
        lost_owner(job, *std::exchange(job.lost_owner, std::nullopt));
        if (job.state == JobState::finished || job.ending) return;
    }

    const JointPlan plan = plan_job(topology, job.order.target, job.order.goal);
    if (plan.steps.empty() && !plan.blocked) {
        count(job, plan.steps, nullptr);
        // What follows from the blocks (node sizes, coordinates, tiers) is shown before the job ends.
        if (!job.looked_again && job.stop_reason == StopReason::none) return look_again(job);
        job.error.reset();
        return finish(job, JobResult::done);
    }
    // Its own block may only have waited for one that somebody else is taking offline: a scan shows that.
    if (job.stop_reason == StopReason::timeout && job.failures.interrupted && !job.looked_for_others) {
        job.looked_for_others = true;
        return look_again(job);
    }
    if (job.stop_reason != StopReason::none) return end_or_roll_back(job, result_of(job.stop_reason));
    if (job.hopeless) return end_or_roll_back(job, JobResult::failed);

    std::vector<DeviceStep> steps = plan.steps;
    job.no_room = keep_to_ratio(topology, job.order.goal, steps);
    Next next = next_step(job, steps);
    count(job, plan.steps, next.step ? &next.step->step : nullptr);
    if (job.hopeless) return end_or_roll_back(job, JobResult::failed);
    if (next.step) return run(job, std::move(*next.step));
    if (next.pause_until_usec) return pause_until(job, *next.pause_until_usec);
    if (!job.looked_again) return look_again(job);
    if (job.no_room && !job.error) job.error = no_room(job.order);
    if (plan.blocked && !job.error) job.error = plan.blocked;
    const bool nothing_done = job.progress.finished.empty() || job.order.all_or_nothing();
    end_or_roll_back(job, nothing_done ? JobResult::failed : JobResult::partial);
}

// Of the steps, the first that has something to do now. What pauses between its tries keeps nothing waiting
// that does not rest on it.
Jobs::Next Jobs::next_step(Job& job, const std::vector<DeviceStep>& steps) const {
    const std::uint64_t now = clock_.now_usec();
    Next next;
    const auto not_yet = [&](const Tries& tries) {
        if (tries.not_before_usec <= now) return false;
        next.pause_until_usec = std::min(next.pause_until_usec.value_or(UINT64_MAX), tries.not_before_usec);
        return true;
    };
    for (const DeviceStep& each : steps) {
        if (each.step.blocks.empty()) {
            // Never past blocks that would not go offline, nor past a device that is still bound (R11).
            if (&each != &steps.front()) break;
            const Tries& driver = job.failures.drivers[each.device.name];
            if (driver.succeeded > most_undone) {
                (job.rolling_back() ? job.ending->put_back_error : job.error) =
                    driver_undone(job.order, each.device.name);
                job.hopeless = true;
            } else if (!not_yet(driver)) {
                next.step = each;
            }
            break;
        }
        DeviceStep rest = each;
        std::erase_if(rest.step.blocks, [&](BlockIndex block) {
            if (job.failures.given_up.contains(block)) return true;
            const auto tries = job.failures.tries.find(block);
            return tries != job.failures.tries.end() && not_yet(tries->second);
        });
        if (!rest.step.blocks.empty()) {
            next.step = std::move(rest);
            break;
        }
        // The other devices would be drained only to be put back.
        if (each.step.kind == StepKind::offline && job.order.all_or_nothing()) break;
    }
    return next;
}

void Jobs::run(Job& job, DeviceStep next) {
    job.looked_again = false;
    const bool first = job.state == JobState::waiting;
    job.state = JobState::running;
    if (first) job.progress.began_usec = clock_.now_usec();
    job.draining = next.step.kind == StepKind::offline && !job.rolling_back();
    remember(job, next);
    busy_ = true;
    const std::uint32_t id = job.id;
    const auto stop = job.rolling_back() ? std::make_shared<std::atomic<bool>>(false) : job.stop;
    job.stop = stop;
    const std::uint64_t task = worker_.submit(
        [this, &worker = worker_, id, target = job.order.target, next,
         stop](Backend& backend) -> Worker::Completion {
            StepReport report;
            if (next.step.kind == StepKind::destroy_region) {
                auto done = backend.destroy_region(std::get<RegionIdentity>(target));
                if (!done) report.stopped = done.error();
            } else {
                // What the worker was at before does not count against a drain's time.
                if (next.step.kind == StepKind::offline) worker.progress(0);
                report = run_step(backend, next.device, next.step, *stop,
                                  [&worker](std::uint64_t reached) { worker.progress(reached); });
            }
            return [this, id, next, report = std::move(report)] { step_done(id, next, report); };
        },
        [this, id](std::uint64_t reached) {
            Job* running = get(id);
            if (running == nullptr || !running->is<AtStep>()) return;
            start_drain_clock(*running);
            if (running->progress.step_reached == reached) return;
            running->progress.step_reached = reached;
            tell(*running);
        });
    job.activity = AtStep{.task = task, .interrupter = {}};
    if (first) tell(job);
}

// Before the step touches it: what happened to it may stay unknown.
void Jobs::remember(Job& job, const DeviceStep& next) {
    if (job.rolling_back()) return;
    const Topology& topology = hooks_.topology();
    for (const BlockIndex block : next.step.blocks) {
        // One that is not there yet comes with a bind, and goes with the unbind.
        const Block* now = find_block(topology, block);
        if (now == nullptr) continue;
        job.undo.blocks.try_emplace(block, now->state == BlockState::offline ? Zone::none : now->zone);
    }
    if (next.step.kind != StepKind::set_mode) return;
    const DaxDevice* device = find_dax(topology, next.device);
    const auto known =
        std::ranges::find(job.undo.drivers, next.device, [](const auto& e) { return e.first; });
    if (device != nullptr && known == job.undo.drivers.end())
        job.undo.drivers.emplace_back(next.device, device->mode);
}

void Jobs::tell(Job& job) {
    const std::uint64_t done = job.progress.changes_done + job.progress.step_reached;
    const std::uint64_t all = job.progress.changes_done + job.progress.changes_left;
    // While it puts back, it moves away from its goal: the mark stays where it was.
    if (all != 0 && !job.rolling_back()) {
        job.progress.fraction = std::max(job.progress.fraction,
                                         std::min(1.0, static_cast<double>(done) / static_cast<double>(all)));
    }
    if (job.shown) hooks_.changed(job);
}

// A write that hangs in the kernel must not hang the job: draining has a limit of its own. It is counted
// while blocks are taken offline, and between their tries.
void Jobs::start_drain_clock(Job& job) {
    const std::uint64_t limit = job.order.goal.drain.timeout_usec;
    if (job.order.timeout_usec) return;  // the whole job's, armed at its start
    if (!job.draining || limit == 0 || job.draining_since_usec) return;
    job.draining_since_usec = clock_.now_usec();
    job.deadline = clock_.after(job.drain_left_usec.value_or(limit), [this, id = job.id] {
        if (Job* late = get(id)) request_stop(*late, StopReason::timeout);
    });
}

void Jobs::stop_drain_clock(Job& job) {
    if (!job.draining_since_usec) return;
    const std::uint64_t left = job.drain_left_usec.value_or(job.order.goal.drain.timeout_usec);
    const std::uint64_t passed = clock_.now_usec() - *job.draining_since_usec;
    job.drain_left_usec = left > passed ? left - passed : 0;
    job.draining_since_usec.reset();
    job.deadline.reset();
}

void Jobs::step_done(std::uint32_t id, const DeviceStep& done, const StepReport& report) {
    const Step& step = done.step;
    busy_ = false;
    Job* job = get(id);
    if (job != nullptr) {
        job->activity = AtRest{};
        job->progress.step_reached = 0;
    }
    if (job == nullptr || job->state == JobState::finished) {
        hooks_.blocks_changed(report);
        return pump();
    }
    if (step.kind == StepKind::set_mode || step.kind == StepKind::unplug ||
        step.kind == StepKind::destroy_region) {
        driver_done(*job, done, report);
        return pump();
    }

    job->progress.usec_in_writes += report.usec_in_writes;
    for (const BlockIndex block : report.reached) {
        job->failures.tries.erase(block);
        if (job->progress.step_finishes && !job->rolling_back()) job->progress.finished.insert(block);
    }
    job->progress.changes_done += report.reached.size();
    job->progress.changes_left -= std::min<std::uint64_t>(job->progress.changes_left, report.reached.size());
    note_failures(*job, done, report);
    hooks_.blocks_changed(report);
    tell(*job);
    go_on_after(*job, done, report);
    pump();
}

void Jobs::go_on_after(Job& job, const DeviceStep& done, const StepReport& report) {
    // What was written and not read back is not known, nor what a device is that is not what it was.
    if (report.stopped && report.looked_at.empty()) job.look_due = true;
    if (done.step.by_state) job.look_due = true;  // what the state reads now is not in the report
    if (report.stopped && report.stopped->code == ErrorCode::gone) {
        job.lost_owner = done.device;
        job.look_due = true;
    } else if (report.stopped && report.stopped->code != ErrorCode::canceled) {
        job.error = report.stopped;
    }
    if (!report.reached.empty()) job.failures.fruitless = 0;
    // Blocks have their own count of tries; this is for steps that do not get as far as a block.
    const bool fruitless = report.reached.empty() && report.failed.empty();
    if (!fruitless || job.stop_reason != StopReason::none) return ready_.push_front(job.id);
    if (++job.failures.fruitless > job.order.goal.drain.retries + 1) {
        if (job.rolling_back()) {
            job.rollback_stopped = true;
        } else {
            job.hopeless = true;
        }
        return ready_.push_front(job.id);
    }
    pause_until(job, clock_.now_usec() + pause_of(job.failures.fruitless));
}

void Jobs::note_failures(Job& job, const DeviceStep& done, const StepReport& report) {
    for (const BlockFailure& failure : report.failed) {
        if (failure.error.code == ErrorCode::canceled) {
            job.failures.interrupted = failure.block;  // no failure of its own, but where the job stood
            continue;
        }
        Error error = failure.error;
        if (error.object != done.device.name) error.object = done.device.name + ": " + error.object;
        if (error.operation.empty()) {
            error.operation = done.step.kind == StepKind::offline ? "offline" : "online";
        }
        Tries& tries = job.failures.tries[failure.block];
        ++tries.failed;
        tries.not_before_usec = clock_.now_usec() + pause_of(tries.failed);
        tries.last = error;
        const bool hopeless =
            failure.error.code != ErrorCode::busy || tries.failed > job.order.goal.drain.retries;
        if (!hopeless) continue;
        job.failures.given_up.insert(failure.block);
        if (job.rolling_back()) continue;
        if (!job.error || job.error->errnum == 0) job.error = error;
    }
}

void Jobs::pause_until(Job& job, std::uint64_t usec) {
    start_drain_clock(job);
    const std::uint64_t now = clock_.now_usec();
    job.activity = AtPause{clock_.after(usec > now ? usec - now : 0, [this, id = job.id] {
        Job* over = get(id);
        if (over == nullptr) return;
        over->activity = AtRest{};
        ready_.push_back(id);
        pump();
    })};
}

}  // namespace cxlmemd
