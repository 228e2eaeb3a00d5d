// SPDX-License-Identifier: LGPL-2.1-or-later
// One job: a target, a goal, and how far it has come. A plain record; Jobs moves it on.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/clock.h"
#include "daemon/event_loop.h"
#include "daemon/job_target.h"
#include "policy/decide.h"

namespace cxlmemd {

enum class JobState : std::uint8_t { waiting, running, finished };
enum class JobResult : std::uint8_t { none, done, partial, canceled, timeout, failed, gone };

[[nodiscard]] std::string_view to_string(JobState state);
[[nodiscard]] std::string_view to_string(JobResult result);

// Why a job shall end before its goal is reached.
enum class StopReason : std::uint8_t { none, canceled, superseded, timeout, shutdown };

[[nodiscard]] JobResult result_of(StopReason reason);

struct JobOrder {
    std::string operation;  // online, offline, set-mode, policy, remove, prepare-remove
    JobTarget target;
    Goal goal;                     // of a removal only how to drain
    std::uint32_t started_by = 0;  // uid
    bool by_policy = false;
    // The job is to take everything offline: if that fails and goal.drain.rollback is set, what it
    // took is put back. Blocks that are drained one by one for a rezone or a smaller amount are each
    // wanted that way, and stay.
    bool whole_drain = false;
    // Limits the whole job. Without it only draining is limited, by goal.drain.timeout_usec: the steps that
    // take blocks offline and the pauses between their tries, together; not the daemon's own scans.
    std::optional<std::uint64_t> timeout_usec;

    // If such a job fails, nothing of what it did will stay.
    [[nodiscard]] bool all_or_nothing() const { return whole_drain && goal.drain.rollback; }
};

// Before a new try, after so many that failed: 50 ms, doubled each time up to 2 s.
[[nodiscard]] std::uint64_t pause_of(std::uint32_t failures);

// How far a job has come. A block is finished when no step that is still planned touches it.
struct JobProgress {
    std::set<BlockIndex> finished;
    std::vector<BlockIndex> pending;  // of the plan last made; sorted
    double fraction = 0;              // never goes back
    std::uint64_t blocks_total = 0;
    std::uint64_t changes_done = 0;  // block changes of state, offline and online
    std::uint64_t changes_left = 0;
    std::uint64_t began_usec = 0;      // when its first step was given to the worker; 0: it was not
    std::uint64_t usec_in_writes = 0;  // of what has passed since, inside the kernel's writes
    std::uint64_t step_reached = 0;    // of the running step, as the worker reports it
    bool step_finishes = false;        // blocks of the running step are finished by it
};

// Tries of one block, or of one device's driver.
struct Tries {
    std::uint32_t failed = 0;
    std::uint32_t succeeded = 0;        // of a driver: since then somebody else has undone it
    std::uint64_t not_before_usec = 0;  // the next one
    std::optional<Error> last;          // why the last one failed
};

// What did not do what it should.
struct JobFailures {
    std::map<BlockIndex, Tries> tries;
    std::set<BlockIndex> given_up;
    std::map<BlockIndex, std::uint32_t> undone;  // how often by somebody else, after this job had done it
    std::optional<BlockIndex> interrupted;       // whose write the last interruption ended
    std::map<std::string, Tries> drivers;        // by device
    std::set<std::string> drivers_given_up;
    std::uint32_t fruitless = 0;     // steps in a row that did not get as far as a block
    std::uint32_t failed_looks = 0;  // in a row
};

// How everything was before the job touched it.
struct JobUndo {
    std::map<BlockIndex, Zone> blocks;  // the zone that it was online in; none: it was offline
    std::vector<std::pair<DaxIdentity, DaxMode>> drivers;
};

// What a job is at: one thing at a time.
struct AtRest {};  // its turn has not come, or it is over
struct AtStep {
    std::uint64_t task = 0;    // of the worker
    Clock::Timer interrupter;  // while it is to be interrupted
};
struct AtLook {  // it waits for a scan
    Clock::Timer interrupter;
};
struct AtPause {  // before it tries again
    Clock::Timer timer;
};
using JobActivity = std::variant<AtRest, AtStep, AtLook, AtPause>;

// How a job ends, once that is decided: before it does, it puts back what it did, or has a last look.
struct JobEnding {
    JobResult result = JobResult::none;
    bool rolls_back = false;
    std::optional<Error> put_back_error;
};

struct Job {
    std::uint32_t id = 0;
    JobOrder order;
    JobState state = JobState::waiting;
    JobResult result = JobResult::none;
    std::optional<Error> error;

    JobProgress progress;
    JobFailures failures;
    JobUndo undo;

    bool shown = false;                     // to those who watch: the hook `added` ran
    bool no_room = false;                   // max_movable_ratio kept it from the rest
    bool destroyed = false;                 // its region, by this job: that it is gone is its success
    bool look_due = false;                  // what the last step led to is not known
    bool looked_for_others = false;         // a scan since the time was up
    bool looked_again = false;              // everything was scanned since the last step
    std::optional<DaxIdentity> lost_owner;  // was not what it was when a block was to be written
    bool hopeless = false;                  // error says why; what has been done may yet be enough

    std::optional<JobEnding> ending;
    bool rolled_back = false;       // and everything is as it was
    bool rollback_stopped = false;  // the put-back itself was canceled

    StopReason stop_reason = StopReason::none;
    std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);

    // Of goal.drain.timeout_usec, what is left; it runs while draining_since_usec is set.
    std::optional<std::uint64_t> drain_left_usec;
    std::optional<std::uint64_t> draining_since_usec;
    bool draining = false;  // the last step was to take blocks offline

    JobActivity activity;
    Clock::Timer deadline;
    Clock::Timer afterlife;      // until it is no longer shown
    EventLoop::Source deferred;  // its turn, not from inside whatever asked for it

    [[nodiscard]] bool rolling_back() const { return ending && ending->rolls_back; }
    template <class Activity>
    [[nodiscard]] bool is() const {
        return std::holds_alternative<Activity>(activity);
    }
};

}  // namespace cxlmemd
