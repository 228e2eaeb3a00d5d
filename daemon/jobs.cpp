// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/jobs.h"

#include <algorithm>
#include <utility>

// The queue: what is added, stopped, waited for and ended. How a job moves on: job_run.cpp.

namespace cxlmemd {

namespace {

constexpr std::uint64_t afterlife_usec = 10'000'000;
constexpr std::uint64_t interrupt_again_usec = 50'000;

}  // namespace

Jobs::Jobs(EventLoop& loop, Clock& clock, Worker& worker, JobHooks hooks)
    : loop_(loop), clock_(clock), worker_(worker), hooks_(std::move(hooks)) {}

Result<std::uint32_t> Jobs::add(JobOrder order, const std::function<void()>& meanwhile,
                                const Commit& commit) {
    const auto committed = [&](std::uint32_t id) -> Result<std::uint32_t> {
        if (!commit) return id;
        return commit(id).map([&] { return id; });
    };
    std::vector<Job*> gives_way;
    for (auto& [id, job] : jobs_) {
        if (job->state == JobState::finished) continue;
        if (!overlap(hooks_.topology(), job->order.target, order.target)) continue;
        if (job->stop_reason != StopReason::none) continue;  // it is on its way out; ours waits for it
        const bool same = job->order.target == order.target && job->order.goal == order.goal &&
                          job->order.operation == order.operation;
        if (same) return committed(id);
        if (!job->order.by_policy) {
            return fail({.code = ErrorCode::busy,
                         .object = name_of(order.target),
                         .operation = order.operation,
                         .errnum = 0,
                         .reason = "job " + std::to_string(id) + " (" + job->order.operation +
                                   ") is already working on it",
                         .advice = "wait for it, or cancel it"});
        }
        gives_way.push_back(job.get());
    }
    if (auto ready = committed(next_id_); !ready) return ready;
    for (Job* const job : gives_way) request_stop(*job, StopReason::superseded);

    auto job = std::make_unique<Job>();
    const std::uint32_t id = next_id_++;
    job->id = id;
    job->order = std::move(order);
    if (job->order.timeout_usec.value_or(0) != 0) {
        job->deadline = clock_.after(*job->order.timeout_usec, [this, id] {
            if (Job* late = get(id)) request_stop(*late, StopReason::timeout);
        });
    }
    Job& added = *jobs_.emplace(id, std::move(job)).first->second;
    // The worker is given its work first, and all is told and shown while it is at it.
    ready_.push_back(id);
    pump();
    if (meanwhile) meanwhile();
    if (added.state == JobState::waiting) {
        count(added, plan_job(hooks_.topology(), added.order.target, added.order.goal).steps, nullptr);
    }
    show(added);
    return id;
}

Result<> Jobs::cancel(std::uint32_t id) {
    Job* job = get(id);
    if (job == nullptr) {
        return fail({.code = ErrorCode::not_found,
                     .object = "job " + std::to_string(id),
                     .operation = "cancel",
                     .errnum = 0,
                     .reason = "there is no such job",
                     .advice = {}});
    }
    request_stop(*job, StopReason::canceled);
    return {};
}

void Jobs::device_removed(const std::string& dax) {
    for (auto& [id, job] : jobs_) {
        const bool concerned =
            name_of(job->order.target) == dax || touches(hooks_.topology(), job->order.target, dax);
        if (job->state == JobState::running && concerned) interrupt(*job);
    }
}

void Jobs::shut_down() {
    shutting_down_ = true;
    ready_.clear();
    for (auto& [id, job] : jobs_) {
        if (job->state != JobState::finished) request_stop(*job, StopReason::shutdown);
    }
}

void Jobs::end_gone() {
    for (auto& [id, job] : jobs_) {
        if (job->state == JobState::finished || job->destroyed) continue;
        if (is_there(hooks_.topology(), job->order.target)) continue;
        *job->stop = true;
        finish(*job, JobResult::gone);
    }
}

void Jobs::supersede_policy(const std::string& dax) {
    for (auto& [id, job] : jobs_) {
        const bool under_way = job->state != JobState::finished && job->stop_reason == StopReason::none;
        if (under_way && job->order.by_policy && touches(hooks_.topology(), job->order.target, dax)) {
            request_stop(*job, StopReason::superseded);
        }
    }
}

const Job* Jobs::active(const std::string& dax) const {
    for (const auto& [id, job] : jobs_) {
        const bool finished = job->state == JobState::finished;
        if (!finished && touches(hooks_.topology(), job->order.target, dax)) return job.get();
    }
    return nullptr;
}

bool Jobs::waits_for_older(const Job& job) const {
    return std::ranges::any_of(jobs_, [&](const auto& entry) {
        const Job& other = *entry.second;
        return other.id < job.id && other.state != JobState::finished &&
               overlap(hooks_.topology(), other.order.target, job.order.target);
    });
}

void Jobs::for_each(const std::function<void(const Job&)>& visit) const {
    for (const auto& [id, job] : jobs_) visit(*job);
}

const Job* Jobs::find(std::uint32_t id) const {
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : found->second.get();
}

bool Jobs::any_unfinished() const {
    return std::ranges::any_of(jobs_,
                               [](const auto& entry) { return entry.second->state != JobState::finished; });
}

Job* Jobs::get(std::uint32_t id) {
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : found->second.get();
}

void Jobs::show(Job& job) {
    if (!std::exchange(job.shown, true)) hooks_.added(job);
}

// Starts the first ready job that no older one of its devices is in the way of.
void Jobs::pump() {
    for (std::size_t i = 0; !busy_ && !shutting_down_ && i < ready_.size();) {
        Job* job = get(ready_[i]);
        if (job == nullptr || job->state == JobState::finished) {
            ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(i));
            continue;
        }
        if (waits_for_older(*job)) {
            ++i;
            continue;
        }
        ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(i));
        advance(*job);
        i = 0;
    }
}

void Jobs::request_stop(Job& job, StopReason reason) {
    if (job.state == JobState::finished) return;
    const bool once_more = job.stop_reason != StopReason::none;
    if (!once_more) job.stop_reason = reason;
    // A second one: not even the look is waited for that says what is to be put back.
    if (job.rolling_back() || (once_more && job.is<AtLook>())) job.rollback_stopped = true;
    *job.stop = true;
    if (job.is<AtStep>() || job.is<AtLook>()) {
        interrupt(job);
    } else if (!shutting_down_) {
        // Waiting or pausing: it ends now, in its turn.
        job.activity = AtRest{};
        if (std::ranges::find(ready_, job.id) == ready_.end()) ready_.push_front(job.id);
        job.deferred = loop_.add_deferred([this, id = job.id] {
            // One that has done nothing need not wait for the worker, which may hang with another's write.
            Job* waiting = get(id);
            if (waiting != nullptr && waiting->state == JobState::waiting && !waiting->is<AtStep>())
                return end_unbegun(*waiting);
            pump();
        });
    }
}

// The blocked call returns EINTR. A signal can come too early: it is repeated until the step ends.
void Jobs::interrupt(Job& job) {
    const auto again = [this, id = job.id] {
        if (Job* still = get(id)) interrupt(*still);
    };
    if (auto* step = std::get_if<AtStep>(&job.activity)) {
        worker_.interrupt(step->task);
        step->interrupter = clock_.after(interrupt_again_usec, again);
    } else if (auto* look = std::get_if<AtLook>(&job.activity)) {
        hooks_.interrupt_scan();
        look->interrupter = clock_.after(interrupt_again_usec, again);
    }
}

void Jobs::finish(Job& job, JobResult result) {
    if (job.state == JobState::finished) return;
    job.state = JobState::finished;
    job.result = result;
    if (result == JobResult::gone) {
        job.error = Error{.code = ErrorCode::gone,
                          .object = name_of(job.order.target),
                          .operation = job.order.operation,
                          .errnum = 0,
                          .reason = "the " + std::string{noun_of(job.order.target)} + " went away",
                          .advice = {}};
    }
    if (result == JobResult::done) job.progress.fraction = 1;
    *job.stop = true;
    job.deadline.reset();
    job.activity = AtRest{};
    const std::uint32_t id = job.id;
    job.afterlife = clock_.after(afterlife_usec, [this, id] {
        if (const Job* over = get(id)) {
            hooks_.removed(*over);
            jobs_.erase(id);
        }
    });
    show(job);
    hooks_.ended(job);
}

}  // namespace cxlmemd
