// SPDX-License-Identifier: LGPL-2.1-or-later
// How a job ends: what it looks at before, and what it puts back.
#include <utility>

#include "daemon/jobs.h"
#include "daemon/put_back.h"

namespace cxlmemd {

namespace {

Error error_of(const JobOrder& order, ErrorCode code, std::string reason) {
    return {.code = code,
            .object = name_of(order.target),
            .operation = order.operation,
            .errnum = 0,
            .reason = std::move(reason),
            .advice = {}};
}

// All hotplug is under one lock (drivers/base/core.c, lock_device_hotplug): a block that reads going-offline
// and is not ours holds it.
std::string where_it_stood(const Topology& topology, BlockIndex own) {
    for (const Block& block : topology.blocks) {
        if (block.state != BlockState::going_offline || block.index == own) continue;
        return "another process is taking memory block " + std::to_string(block.index.value()) +
               " offline and holds the kernel's hotplug lock, which memory block " +
               std::to_string(own.value()) + " waits for";
    }
    return "the kernel was still at memory block " + std::to_string(own.value());
}

// Names the block that was in the way and its errno, if there was one.
Error time_is_up(const Job& job, const Topology& topology) {
    Error out = error_of(job.order, ErrorCode::timed_out, "the time is up");
    if (job.failures.interrupted) {
        out.reason += ": " + where_it_stood(topology, *job.failures.interrupted);
        return out;
    }
    const Error* in_the_way = job.error ? &*job.error : nullptr;
    for (const auto& [block, tries] : job.failures.tries) {
        if (in_the_way == nullptr && tries.last) in_the_way = &*tries.last;
    }
    if (in_the_way == nullptr) return out;
    Error bare = *in_the_way;
    out.errnum = std::exchange(bare.errnum, 0);
    out.advice = std::exchange(bare.advice, {});
    out.reason += ", and in the way was " + bare.text();
    return out;
}

}  // namespace

void Jobs::look_again(Job& job) {
    busy_ = true;
    job.activity = AtLook{};
    hooks_.rescan([this, id = job.id](const std::optional<Error>& failed) { looked(id, failed); });
}

void Jobs::looked(std::uint32_t id, const std::optional<Error>& failed) {
    busy_ = false;
    Job* job = get(id);
    if (job == nullptr || job->state == JobState::finished) return pump();
    job->activity = AtRest{};
    if (!failed) {
        job->look_due = false;
        job->looked_again = true;
        job->failures.failed_looks = 0;
    } else if (!job->look_due) {
        // What is known is enough to end with; the scanner goes on until a scan succeeds.
        job->looked_again = failed->code != ErrorCode::canceled || job->stop_reason != StopReason::none;
    } else if (failed->code != ErrorCode::canceled) {
        if (++job->failures.failed_looks > job->order.goal.drain.retries + 1) {
            job->error = *failed;
            job->error->object = name_of(job->order.target);
            job->error->operation = job->order.operation;
            job->error->reason = "the machine cannot be scanned: " + failed->text();
            job->error->errnum = 0;
            finish_unseen(*job);
        } else {
            pause_until(*job, clock_.now_usec() + pause_of(job->failures.failed_looks));
        }
        return pump();
    }
    ready_.push_front(id);
    pump();
}

// Nobody can tell what the machine is like: nothing more is done to it.
void Jobs::finish_unseen(Job& job) {
    const JobResult result = job.ending                            ? job.ending->result
                             : job.stop_reason != StopReason::none ? result_of(job.stop_reason)
                                                                   : JobResult::failed;
    say_why(job, result);
    if (job.error && (!job.undo.blocks.empty() || !job.undo.drivers.empty()))
        job.error->advice = "what it did has not been put back";
    finish(job, result);
}

void Jobs::say_why(Job& job, JobResult result) {
    if (result == JobResult::timeout) {
        job.error = time_is_up(job, hooks_.topology());
    } else if (result == JobResult::canceled && !job.error) {
        job.error =
            error_of(job.order, ErrorCode::canceled,
                     job.stop_reason == StopReason::superseded ? "policy or a caller wants something else now"
                                                               : "it was canceled");
    }
}

void Jobs::end_unbegun(Job& job) {
    const JointPlan plan = plan_job(hooks_.topology(), job.order.target, job.order.goal);
    if (is_there(hooks_.topology(), job.order.target) && plan.steps.empty() && !plan.blocked)
        return finish(job, JobResult::done);
    say_why(job, result_of(job.stop_reason));
    finish(job, result_of(job.stop_reason));
}

void Jobs::end_or_roll_back(Job& job, JobResult result) {
    if (job.ending) return;
    say_why(job, result);
    // One that was to bring memory online, and took nothing away for that, leaves what it has brought.
    bool took = !job.undo.drivers.empty();
    for (const auto& [block, zone] : job.undo.blocks) took |= zone != Zone::none;
    const bool wants = job.order.goal.drain.rollback && took && !shutting_down_ &&
                       job.stop_reason != StopReason::superseded &&
                       (job.order.whole_drain || job.stop_reason != StopReason::none);
    job.ending = JobEnding{.result = result, .rolls_back = wants, .put_back_error = {}};
    if (wants) {
        job.failures.given_up.clear();
        job.failures.tries.clear();
        job.failures.drivers.clear();
        job.failures.fruitless = 0;
        job.deadline.reset();
    }
    ready_.push_front(job.id);
    job.deferred = loop_.add_deferred([this] { pump(); });
}

void Jobs::put_back(Job& job) {
    const Topology& topology = hooks_.topology();
    if (!job.rollback_stopped) {
        if (auto step = put_back_step(job.order.target, job.undo, &job.failures, topology)) {
            Next next = next_step(job, {*step});
            if (next.step) return run(job, std::move(*next.step));
            if (next.pause_until_usec) return pause_until(job, *next.pause_until_usec);
        }
    }
    if (!job.looked_again) return look_again(job);
    const std::string left = not_put_back(job.order.target, job.undo, topology);
    job.rolled_back = left.empty();
    if (!left.empty() && job.error) {
        job.error->advice =
            "not everything could be put back: " + left +
            (job.ending->put_back_error ? " (" + job.ending->put_back_error->text() + ")" : "");
    }
    finish(job, job.ending->result);
}

}  // namespace cxlmemd
