// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/model/job_protocol.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace cxlmemd::model {

namespace {

constexpr Blocks all_blocks = 0b11;
constexpr std::uint8_t most_tries = 1;

using Phase = Job::Phase;
using Kind = Task::Kind;
using Outcome = Report::Outcome;

Blocks lowest(Blocks blocks) {
    return static_cast<Blocks>(blocks & -blocks);
}
Blocks without(Blocks a, Blocks b) {
    return static_cast<Blocks>(a & ~b);
}

template <class T, std::size_t n>
T* end_of(std::array<T, n>& queue, Kind T::*kind) {
    const auto free = std::ranges::find(queue, Kind::none, kind);
    return free == queue.end() ? nullptr : &*free;
}
template <class T, std::size_t n>
T take_first(std::array<T, n>& queue) {
    T first = queue.front();
    std::move(queue.begin() + 1, queue.end(), queue.begin());
    queue.back() = {};
    return first;
}

// One turn: changes `s`, and notes what must not be.
class Turn final {
 public:
    Turn(State& state, Variant variant) : s(state), variant_(variant) {}

    // --- the loop: daemon/jobs.cpp, job_run.cpp, job_end.cpp, scanner.cpp ---

    // Jobs::pump and advance.
    bool pump() {
        if (s.queue_busy) return false;
        for (std::uint8_t i = 0; i < most_jobs; ++i) {
            if (s.jobs[i].phase != Phase::ready) continue;
            advance(i);
            return true;
        }
        return false;
    }

    bool begin_scan() {
        if (s.scanning || (!s.dirty && !s.look_wanted)) return false;
        submit({.kind = Kind::scan});
        s.scanning = true;
        s.dirty = false;
        s.look_under_way = std::exchange(s.look_wanted, false);
        return true;
    }

    bool take_report() {
        if (s.reports.front().of == Kind::none) return false;
        const Report report = take_first(s.reports);
        if (report.of == Kind::scan) {
            scanned(report);
        } else {
            step_done(report);
        }
        return true;
    }

    // A job's pause is over; only when nothing else happens, as pauses are long against everything else.
    bool pause_is_over(std::uint8_t i) {
        if (s.jobs[i].phase != Phase::pausing) return false;
        s.jobs[i].phase = Phase::ready;
        return true;
    }

    // Jobs::request_stop: Cancel, or a deadline.
    bool request_stop(std::uint8_t i) {
        Job& job = s.jobs[i];
        if (job.phase == Phase::absent || job.phase == Phase::ended || job.asked_to_stop) return false;
        job.asked_to_stop = job.stop = true;
        if (job.phase == Phase::pausing) job.phase = Phase::ready;
        if (job.phase == Phase::stepping) interrupt(i);
        return true;
    }

    // Jobs::interrupt, and its timer: a signal ends a call that is under way, and is lost otherwise.
    bool interrupt(std::uint8_t i) {
        if (variant_ == Variant::interrupts_once && std::exchange(s.signaled, true)) return false;
        if (!s.in_call || s.tasks.front().job != i) return false;
        s.in_call = false;
        s.report.outcome = Outcome::canceled;
        finish_task();
        return true;
    }

    // --- the worker: daemon/worker.cpp, step_run.cpp, the backends ---

    // How a write to a block turns out.
    enum class Luck : std::uint8_t { good, busy, hangs };

    bool work(Luck luck) {
        Task& task = s.tasks.front();
        if (task.kind == Kind::none || s.in_call) return false;
        s.report.of = task.kind;
        s.report.job = task.job;
        if (task.kind == Kind::scan) {
            if (luck != Luck::good) return false;
            s.report.seen = s.machine;
            finish_task();
            return true;
        }
        const bool is_owner = s.machine.incarnation == task.incarnation;
        if (variant_ != Variant::worker_ignores_the_owner && !is_owner)
            return luck == Luck::good && end_task(Outcome::gone);
        if (s.jobs[task.job].stop && task.kind != Kind::unbind)
            return luck == Luck::good && end_task(Outcome::canceled);
        if (!is_owner) wrong = "an action on a successor, or on nothing";
        if (task.kind == Kind::unbind) return luck == Luck::good && unbind();
        return write(task, luck);
    }

    // A call that hung has just done what it should, and the signal of a cancel ends the read-back.
    bool lose_read_back() {
        if (!s.in_call || s.cancels == 0) return false;
        --s.cancels;
        const Task& task = s.tasks.front();
        if (s.machine.incarnation == task.incarnation)
            s.machine.online = without(s.machine.online, lowest(task.left));
        Job& job = s.jobs[task.job];
        job.asked_to_stop = job.stop = true;
        s.in_call = false;
        s.report.outcome = Outcome::canceled;
        s.report.read_back = false;
        s.report.reached = s.report.failed = 0;
        finish_task();
        return true;
    }

    // --- somebody else ---

    void restart() {
        s.known = {};
        s.jobs = {};
        s.queue_busy = s.scanning = s.look_wanted = s.look_under_way = s.in_call = s.signaled = false;
        s.dirty = true;
        s.policy_acted = 0;
        s.tasks = {};
        s.report = {};
        s.reports = {};
    }

    std::string wrong;

 private:
    void submit(const Task& task) {
        if (Task* place = end_of(s.tasks, &Task::kind)) {
            *place = task;
        } else {
            wrong = "more tasks than the daemon gives to its worker";
        }
    }

    void finish(Job& job, Result result) {
        if (result == Result::done &&
            (s.known.incarnation != job.incarnation || s.known.bound || !job.looked))
            wrong = "done, and no scan has shown it";
        const Blocks missing = without(without(job.touched, s.known.online), job.given_up);
        const bool is_back = missing == 0 || !s.known.bound;
        if ((result == Result::canceled || result == Result::failed) && !is_back && !job.look_due)
            wrong = "a rollback left a block behind, and does not know of it";
        job.phase = Phase::ended;
        job.result = result;
        job.stop = true;
        // What is over need not be told apart.
        job.took = job.touched = job.given_up = 0;
        job.tries = 0;
        job.look_due = job.looked = job.rolling_back = false;
        job.ending = Result::none;
    }

    void look(Job& job) {
        s.queue_busy = true;
        job.phase = Phase::looking;
        s.look_wanted = true;
    }

    void run(std::uint8_t i, Kind kind, Blocks blocks) {
        Job& job = s.jobs[i];
        job.looked = false;
        job.phase = Phase::stepping;
        if (kind == Kind::offline) job.touched = static_cast<Blocks>(job.touched | blocks);
        if (kind == Kind::offline && variant_ != Variant::takes_are_noted_afterwards)
            job.took = static_cast<Blocks>(job.took | blocks);
        if (job.rolling_back) job.stop = false;
        s.queue_busy = true;
        submit({.kind = kind, .job = i, .incarnation = job.incarnation, .left = blocks});
    }

    void roll_back(Job& job, Result ending) {
        job.ending = ending;
        job.rolling_back = true;
        job.given_up = 0;
        job.tries = 0;
    }

    void advance(std::uint8_t i) {
        Job& job = s.jobs[i];
        const bool is_there = variant_ == Variant::loop_goes_by_name ? s.known.incarnation != 0
                                                                     : s.known.incarnation == job.incarnation;
        if (!is_there) return finish(job, Result::gone);
        if (job.look_due) return look(job);
        if (job.rolling_back) {
            const Blocks back = without(without(job.took, s.known.online), job.given_up);
            if (s.known.bound && back != 0) return run(i, Kind::online, back);
            return job.looked ? finish(job, job.ending) : look(job);
        }
        if (!s.known.bound) return job.looked ? finish(job, Result::done) : look(job);
        if (job.asked_to_stop) return roll_back(job, Result::canceled);
        const Blocks due = without(s.known.online, job.given_up);
        if (due != 0) return run(i, Kind::offline, due);
        // Never past a block that would not go offline (R11).
        if (s.known.online != 0 || job.tries > most_tries) return roll_back(job, Result::failed);
        run(i, Kind::unbind, 0);
    }

    void scanned(const Report& report) {
        s.scanning = false;
        s.known = report.seen;
        const bool for_job = std::exchange(s.look_under_way, false);
        bool waits_for_it = false;
        for (Job& job : s.jobs) {
            const bool looking = job.phase == Phase::looking && for_job;
            waits_for_it |= looking;
            // Jobs::end_gone: before its device leaves the bus (R7).
            if (job.phase != Phase::absent && job.phase != Phase::ended &&
                variant_ != Variant::loop_goes_by_name && job.incarnation != s.known.incarnation) {
                waits_for_it &= !looking;
                finish(job, Result::gone);
            } else if (looking) {
                job.look_due = false;
                job.looked = true;
                job.phase = Phase::ready;
            }
        }
        // Jobs::looked, also if the job has ended meanwhile.
        if (for_job && (waits_for_it || variant_ != Variant::job_that_went_keeps_the_queue))
            s.queue_busy = false;
        // Policy wants it unbound, and tries once for each incarnation.
        const auto bit = static_cast<std::uint8_t>(1U << s.known.incarnation);
        if (s.known.incarnation == 0 || !s.known.bound || (s.policy_acted & bit) != 0) return;
        const auto free = std::ranges::find_if(
            s.jobs, [](const Job& job) { return job.phase == Phase::absent || job.phase == Phase::ended; });
        // The number of one that still has a step on the worker is not given again.
        const auto number = static_cast<std::uint8_t>(free - s.jobs.begin());
        const bool in_use = std::ranges::any_of(s.tasks, [&](const Task& task) {
            return task.kind != Kind::none && task.kind != Kind::scan && task.job == number;
        });
        if (free == s.jobs.end() || in_use) return;
        s.policy_acted |= bit;
        *free = {.phase = Phase::ready, .incarnation = s.known.incarnation};
    }

    void step_done(const Report& report) {
        Job& job = s.jobs[report.job];
        const bool is_over = job.phase != Phase::stepping;
        if (!is_over || variant_ != Variant::job_that_went_keeps_the_queue) s.queue_busy = false;
        if (report.read_back) {
            const Blocks looked_at = static_cast<Blocks>(report.reached | report.failed);
            s.known.online =
                static_cast<Blocks>(without(s.known.online, looked_at) | (report.seen.online & looked_at));
        }
        if (is_over) return;
        job.phase = Phase::ready;
        if (report.of == Kind::offline) {
            if (variant_ == Variant::takes_are_noted_afterwards)
                job.took = static_cast<Blocks>(job.took | report.reached);
        } else if (report.of == Kind::unbind) {
            job.look_due = true;
        }
        if (report.outcome == Outcome::gone || !report.read_back) job.look_due = true;
        if (report.outcome != Outcome::busy) return;
        if (report.of == Kind::unbind && variant_ == Variant::failed_unbind_is_repeated) return;
        if (++job.tries > most_tries) job.given_up = static_cast<Blocks>(job.given_up | report.failed);
        job.phase = Phase::pausing;
    }

    bool end_task(Outcome outcome) {
        s.report.outcome = outcome;
        s.report.read_back = true;
        finish_task();
        return true;
    }

    void finish_task() {
        s.report.seen.online = s.report.of == Kind::scan ? s.report.seen.online : s.machine.online;
        if (Report* place = end_of(s.reports, &Report::of)) {
            *place = s.report;
        } else {
            wrong = "more reports than the worker can have made";
        }
        s.report = {};
        take_first(s.tasks);
    }

    bool unbind() {
        const bool checks = variant_ != Variant::worker_ignores_the_blocks;
        if (checks && s.machine.online != 0) return end_task(Outcome::busy);
        if (variant_ == Variant::failed_unbind_is_repeated && s.refusals != 0) return end_task(Outcome::busy);
        if (s.machine.online != 0) wrong = "an unbind over an online block";
        s.machine.bound = false;
        s.machine.online = 0;
        return end_task(Outcome::done);
    }

    bool write(Task& task, Luck luck) {
        if (task.left == 0)
            return luck == Luck::good && end_task(s.report.failed != 0 ? Outcome::busy : Outcome::done);
        const Blocks block = lowest(task.left);
        const auto spend = [](std::uint8_t& budget) { return budget != 0 && budget-- != 0; };
        switch (luck) {
            case Luck::busy:
                if (task.kind != Kind::offline || !spend(s.refusals)) return false;
                s.report.failed = static_cast<Blocks>(s.report.failed | block);
                break;
            case Luck::hangs:
                if (task.kind != Kind::offline || !spend(s.hangs)) return false;
                s.report.failed = static_cast<Blocks>(s.report.failed | block);
                s.report.read_back = true;
                s.in_call = true;
                return true;
            case Luck::good:
                s.machine.online = task.kind == Kind::offline ? without(s.machine.online, block)
                                                              : static_cast<Blocks>(s.machine.online | block);
                s.report.reached = static_cast<Blocks>(s.report.reached | block);
                break;
        }
        task.left = without(task.left, block);
        return true;
    }

    State& s;
    const Variant variant_;
};

class Steps final {
 public:
    Steps(const State& from, Variant variant) : from_(from), variant_(variant) {}

    void add(std::string name, bool of_daemon, const std::function<bool(Turn&, State&)>& act) {
        State next = from_;
        Turn turn{next, variant_};
        if (act(turn, next)) out.push_back({std::move(name), of_daemon, next, turn.wrong});
    }

    std::vector<Step> out;

 private:
    const State& from_;
    const Variant variant_;
};

void add_others(Steps& steps) {
    steps.add("cancel", false, [](Turn& turn, State& s) {
        if (s.cancels == 0) return false;
        --s.cancels;
        bool any = false;
        for (std::uint8_t i = 0; i < most_jobs; ++i) any |= turn.request_stop(i);
        return any;
    });
    steps.add("the device goes, by force", false, [](Turn&, State& s) {
        if (s.removals == 0 || s.machine.incarnation == 0) return false;
        --s.removals;
        s.machine = {};
        s.dirty = true;
        return true;
    });
    steps.add("another one of its name comes", false, [](Turn&, State& s) {
        if (s.arrivals == 0 || s.machine.incarnation != 0) return false;
        --s.arrivals;
        s.machine = {.incarnation = 2, .bound = true, .online = all_blocks};
        s.dirty = true;
        return true;
    });
    steps.add("another process brings a block online", false, [](Turn&, State& s) {
        const Blocks offline = without(all_blocks, s.machine.online);
        if (s.others_online == 0 || !s.machine.bound || offline == 0) return false;
        --s.others_online;
        s.machine.online = static_cast<Blocks>(s.machine.online | lowest(offline));
        s.dirty = true;
        return true;
    });
    steps.add("SIGKILL, and a new daemon", false, [](Turn& turn, State& s) {
        if (s.restarts == 0) return false;
        --s.restarts;
        turn.restart();
        return true;
    });
}

}  // namespace

State first_state() {
    State out;
    out.machine = {.incarnation = 1, .bound = true, .online = all_blocks};
    return out;
}

std::vector<Step> steps_from(const State& state, Variant variant) {
    Steps steps{state, variant};
    steps.add("loop: takes a report", true, [](Turn& turn, State&) { return turn.take_report(); });
    steps.add("loop: moves a job on", true, [](Turn& turn, State&) { return turn.pump(); });
    steps.add("loop: begins a scan", true, [](Turn& turn, State&) { return turn.begin_scan(); });
    steps.add("worker: goes on", true, [](Turn& turn, State&) { return turn.work(Turn::Luck::good); });
    for (std::uint8_t i = 0; i < most_jobs; ++i) {
        steps.add("loop: a pause is over", true, [i](Turn& turn, State&) { return turn.pause_is_over(i); });
        steps.add("loop: interrupts again", true, [i](Turn& turn, State& s) {
            return s.jobs[i].asked_to_stop && s.jobs[i].phase == Phase::stepping && turn.interrupt(i);
        });
        // Only what hangs takes so long.
        steps.add("loop: the time of a job is up", true, [i](Turn& turn, State& s) {
            return s.in_call && s.tasks.front().job == i && turn.request_stop(i);
        });
        // Jobs::device_removed: its event comes though no scan can.
        steps.add("loop: hears that the device went", true, [i](Turn& turn, State& s) {
            return s.in_call && s.tasks.front().incarnation != s.machine.incarnation && turn.interrupt(i);
        });
    }
    steps.add("worker: the kernel says EBUSY", false,
              [](Turn& turn, State&) { return turn.work(Turn::Luck::busy); });
    steps.add("worker: a write hangs", false,
              [](Turn& turn, State&) { return turn.work(Turn::Luck::hangs); });
    steps.add("worker: the write succeeds at last, and a cancel ends the read-back", false,
              [](Turn& turn, State&) { return turn.lose_read_back(); });
    add_others(steps);
    return std::move(steps.out);
}

std::string wrong_at_rest(const State& state) {
    for (const Job& job : state.jobs) {
        if (job.phase != Phase::absent && job.phase != Phase::ended) return "a job without an end";
    }
    return {};
}

}  // namespace cxlmemd::model
