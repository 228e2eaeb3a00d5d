// SPDX-License-Identifier: LGPL-2.1-or-later
// The job queue: one step at a time on the worker, jobs of one device in order. Loop thread.
//
// A job has a goal, not a list of steps: before each step the plan is made anew from what the kernel
// shows, so that whatever others did meanwhile is taken into account. The job of a region or a memdev is on
// all its dax devices: it waits for older jobs of any of them, younger ones wait for it, and its plan goes
// through them together (plan_removal.h).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/event_loop.h"
#include "daemon/job.h"
#include "daemon/step_run.h"
#include "daemon/worker.h"
#include "policy/topology.h"

namespace cxlmemd {

// What Jobs needs of the rest of the daemon. Each is called on the loop thread.
struct JobHooks {
    std::function<const Topology&()> topology;
    // Takes over how a step left its blocks, and shows it on the bus, before the job goes on.
    std::function<void(const StepReport&)> blocks_changed;
    // Scans everything; `then` runs when the new topology is in force, or with the error that says why not.
    using Looked = std::function<void(const std::optional<Error>& failed)>;
    std::function<void(Looked then)> rescan;
    // Ends the scan that runs: ErrorCode::canceled.
    std::function<void()> interrupt_scan;
    std::function<void(const Job&)> added;
    std::function<void(const Job&)> changed;
    std::function<void(const Job&)> ended;    // its last word; the job stays readable
    std::function<void(const Job&)> removed;  // after ten seconds
};

class Jobs final {
 public:
    Jobs(EventLoop& loop, Clock& clock, Worker& worker, JobHooks hooks);
    Jobs(const Jobs&) = delete;
    Jobs& operator=(const Jobs&) = delete;

    // Queues a job and returns it. If a job with the same order is under way for the target, that one.
    // Another caller's job with another goal: ErrorCode::busy, naming it. A policy job gives way to a
    // caller's. `meanwhile` is called if a job is made: once the worker has its first step, if it is its
    // turn, and before the job is shown. `commit` is called with the job's id when nothing else can be in
    // the way, and before anything is done; if it fails, nothing is, and so does the call.
    using Commit = std::function<Result<>(std::uint32_t id)>;
    Result<std::uint32_t> add(JobOrder order, const std::function<void()>& meanwhile = {},
                              const Commit& commit = {});

    // Ends after the block at hand. Unknown: not_found; finished already: ok.
    Result<> cancel(std::uint32_t id);

    // Something disappeared: what is in flight on that device is interrupted (R7).
    void device_removed(const std::string& dax);

    // Ends the jobs whose targets are no longer there. Call when a new topology is in force.
    void end_gone();

    // Policy no longer wants what its job for this device does.
    void supersede_policy(const std::string& dax);

    // Nothing new starts; the running step ends after its block.
    void shut_down();

    [[nodiscard]] const Job* active(const std::string& dax) const;  // unfinished, oldest
    [[nodiscard]] const Job* find(std::uint32_t id) const;
    // Those that can be read, finished ones too; by number.
    void for_each(const std::function<void(const Job&)>& visit) const;
    [[nodiscard]] bool any_unfinished() const;

 private:
    void pump();
    struct Next {
        std::optional<DeviceStep> step;
        std::optional<std::uint64_t> pause_until_usec;  // something waits for its next try
    };

    void advance(Job& job);
    [[nodiscard]] Next next_step(Job& job, const std::vector<DeviceStep>& steps) const;
    void remember(Job& job, const DeviceStep& next);
    void run(Job& job, DeviceStep next);
    void step_done(std::uint32_t id, const DeviceStep& done, const StepReport& report);
    void go_on_after(Job& job, const DeviceStep& done, const StepReport& report);
    void driver_done(Job& job, const DeviceStep& done, const StepReport& report);
    void note_failures(Job& job, const DeviceStep& done, const StepReport& report);
    void lost_owner(Job& job, const DaxIdentity& owner);
    void tell(Job& job);
    void show(Job& job);
    void pause_until(Job& job, std::uint64_t usec);
    void start_drain_clock(Job& job);
    void stop_drain_clock(Job& job);
    void request_stop(Job& job, StopReason reason);
    void count(Job& job, const std::vector<DeviceStep>& steps, const Step* next);
    void interrupt(Job& job);
    // job_end.cpp
    void look_again(Job& job);
    void looked(std::uint32_t id, const std::optional<Error>& failed);
    void finish_unseen(Job& job);
    void say_why(Job& job, JobResult result);
    void end_unbegun(Job& job);
    void end_or_roll_back(Job& job, JobResult result);
    void put_back(Job& job);
    void finish(Job& job, JobResult result);
    Job* get(std::uint32_t id);
    [[nodiscard]] bool waits_for_older(const Job& job) const;

    EventLoop& loop_;
    Clock& clock_;
    Worker& worker_;
    JobHooks hooks_;
    std::map<std::uint32_t, std::unique_ptr<Job>> jobs_;
    std::deque<std::uint32_t> ready_;
    bool busy_ = false;  // a step is on the worker, or a scan that a job waits for
    bool shutting_down_ = false;
    std::uint32_t next_id_ = 1;
};

}  // namespace cxlmemd
