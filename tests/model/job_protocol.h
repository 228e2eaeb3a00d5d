// SPDX-License-Identifier: LGPL-2.1-or-later
// A model of the job protocol, small enough to be explored in full: the loop with its jobs and its scanner,
// the worker, one machine with a device of two blocks, and everybody else. docs/job-protocol.md says how it
// maps to the code.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace cxlmemd::model {

// What the code does, or one thing that it must not do: the model has to find out about each.
enum class Variant : std::uint8_t {
    right,
    worker_ignores_the_owner,       // a step is not checked against the incarnation that it was made for
    worker_ignores_the_blocks,      // an unbind trusts the last scan
    loop_goes_by_name,              // a job takes its device's successor for the device
    interrupts_once,                // a signal that comes too early is not repeated
    job_that_went_keeps_the_queue,  // a step of a job that has ended does not free the worker for the next
    takes_are_noted_afterwards,     // from the report of a step, which an interruption may have emptied
    failed_unbind_is_repeated,      // without a count
};

using Blocks = std::uint8_t;  // a bit each; set: online

// The truth, or what a scan saw of it.
struct Machine {
    std::uint8_t incarnation = 0;  // of the device; 0: there is none
    bool bound = false;
    Blocks online = 0;
    auto operator<=>(const Machine&) const = default;
};

enum class Result : std::uint8_t { none, done, canceled, failed, gone };

struct Job {
    enum class Phase : std::uint8_t { absent, ready, stepping, looking, pausing, ended };
    Phase phase = Phase::absent;
    Result result = Result::none;
    Result ending = Result::none;
    std::uint8_t incarnation = 0;
    Blocks took = 0;     // as the job knows it
    Blocks touched = 0;  // the truth
    Blocks given_up = 0;
    std::uint8_t tries = 0;
    bool stop = false;  // what the worker sees
    bool asked_to_stop = false;
    bool look_due = false;
    bool looked = false;
    bool rolling_back = false;
    auto operator<=>(const Job&) const = default;
};

struct Task {
    enum class Kind : std::uint8_t { none, scan, offline, online, unbind };
    Kind kind = Kind::none;
    std::uint8_t job = 0;
    std::uint8_t incarnation = 0;
    Blocks left = 0;
    auto operator<=>(const Task&) const = default;
};

// What comes back to the loop.
struct Report {
    enum class Outcome : std::uint8_t { done, busy, gone, canceled };
    Task::Kind of = Task::Kind::none;
    Outcome outcome = Outcome::done;
    std::uint8_t job = 0;
    bool read_back = false;
    Blocks reached = 0;
    Blocks failed = 0;
    Machine seen;  // of a scan; of a step that read back, only the blocks
    auto operator<=>(const Report&) const = default;
};

constexpr std::size_t most_jobs = 3;
constexpr std::size_t most_queued = 2;

struct State {
    Machine machine;

    // The loop.
    Machine known;
    std::array<Job, most_jobs> jobs;
    bool queue_busy = false;
    bool dirty = true;  // an event came
    bool scanning = false;
    bool look_wanted = false;  // by a job, after the scan under way
    bool look_under_way = false;
    std::uint8_t policy_acted = 0;  // a bit for each incarnation
    bool signaled = false;          // of interrupts_once

    // The worker, and the queues to it and back.
    std::array<Task, most_queued> tasks;
    Report report;         // of the running task
    bool in_call = false;  // a write hangs in the kernel
    std::array<Report, most_queued> reports;

    // What may still happen.
    std::uint8_t cancels = 1;
    std::uint8_t removals = 1;
    std::uint8_t arrivals = 1;
    std::uint8_t others_online = 1;
    std::uint8_t refusals = 2;
    std::uint8_t hangs = 1;
    std::uint8_t restarts = 1;

    auto operator<=>(const State&) const = default;
};

struct Step {
    std::string name;
    bool of_daemon = false;  // the daemon's own; else somebody else's, or chance
    State next;
    std::string wrong;  // what must not be, and was done in this step
};

[[nodiscard]] State first_state();
[[nodiscard]] std::vector<Step> steps_from(const State& state, Variant variant);
// At a state from which the daemon does nothing more by itself.
[[nodiscard]] std::string wrong_at_rest(const State& state);

}  // namespace cxlmemd::model
