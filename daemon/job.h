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
#include <vector>

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
    // Limits the whole job. Without it only draining is limited, by goal.drain.timeout_usec: so long
    // may pass without a single block going offline.
    std::optional<std::uint64_t> timeout_usec;
};

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

// What did not do what it should.
struct JobFailures {
    std::map<BlockIndex, std::uint32_t> tries;
    std::set<BlockIndex> given_up;
    std::map<BlockIndex, std::uint32_t> undone;  // how often by somebody else, after this job had done it
    std::optional<BlockIndex> interrupted;       // whose write the last interruption ended
    std::uint32_t mode_tries = 0;
    std::uint32_t fruitless = 0;   // steps in a row that reached nothing
    std::uint64_t pause_usec = 0;  // the last pause; grows
};

// What a job is to put back if it fails.
struct JobUndo {
    // What it took offline, and the zone it came from.
    std::map<BlockIndex, Zone> taken;
    // What a removal unbound, and what it was.
    std::vector<std::pair<DaxIdentity, DaxMode>> unbound;
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

    bool shown = false;      // to those who watch: the hook `added` ran
    bool no_room = false;    // max_movable_ratio kept it from the rest
    bool destroyed = false;  // its region, by this job: that it is gone is its success
    bool rolling_back = false;
    bool rollback_stopped = false;  // the put-back itself was canceled
    bool looked_again = false;      // everything was scanned since the last step

    StopReason stop_reason = StopReason::none;
    std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
    bool progressed = false;  // since the draining deadline was armed
    std::uint64_t task = 0;   // of the worker, while a step runs
    EventLoop::Source deadline;
    EventLoop::Source pause;
    EventLoop::Source interrupter;
    EventLoop::Source afterlife;
};

}  // namespace cxlmemd
