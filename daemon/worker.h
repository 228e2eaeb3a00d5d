// SPDX-License-Identifier: LGPL-2.1-or-later
// The one thread on which backend calls run: the kernel serialises hotplug anyway (R16).
//
// Values go in through one queue and come back through another, with an eventfd; nothing mutable is
// shared with the loop thread.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "backends/backend.h"
#include "daemon/call_record.h"
#include "daemon/event_loop.h"
#include "daemon/kernel_answers.h"
#include "daemon/stuck_watch.h"

namespace cxlmemd {

class Worker final {
 public:
    using Completion = std::function<void()>;               // runs on the loop thread
    using Task = std::function<Completion(Backend&)>;       // runs on the worker thread
    using OnProgress = std::function<void(std::uint64_t)>;  // runs on the loop thread

    // The signal that interrupts a blocked backend call. main() must not use it otherwise.
    static const int interrupt_signal;

    Worker(EventLoop& loop, std::unique_ptr<Backend> backend, StuckLimits limits = {});
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    // Drops waiting tasks, interrupts the running one until it returns, joins. A call that the kernel does
    // not give back even so can be left behind only with the whole process: it ends here, with exit code 1.
    ~Worker();

    // Who hears of calls that do not come back.
    void on_stuck(StuckWatch::Hooks hooks) { stuck_.set_hooks(std::move(hooks)); }

    // For the watchdog: runs `alive` if the thread does what it should: it takes tasks, or it has begun
    // backend calls since the last time, or it is inside one, however long (daemon/stuck_watch.h).
    void prove(std::function<void()> alive);

    // Loop thread. Tasks run in order; returns a number that names the task.
    std::uint64_t submit(Task task, OnProgress on_progress = {});

    // What the kernel answered to the writes of tasks. Any thread.
    [[nodiscard]] KernelAnswers& answers() { return answers_; }

    // Loop thread. Tasks wait, run, or have results that wait for the loop.
    [[nodiscard]] bool busy() const { return unfinished_ != 0; }

    // Worker thread, inside a task: the latest value reaches on_progress. The first at once, then as many as
    // have gathered in 50 ms: waking the loop for each would cost more than the work that it tells of.
    void progress(std::uint64_t value);

    // Loop thread. If `task` is running now, its blocked system call returns EINTR. May come too
    // early or too late by a hair: call again while the task has not completed.
    void interrupt(std::uint64_t task);
    // The same for whatever task runs now, if it was submitted before `task`.
    void interrupt_before(std::uint64_t task);

 private:
    struct Numbered {
        std::uint64_t number;
        Task task;
        OnProgress on_progress;
    };
    void run();
    void drain();
    void look();
    void look_for_progress();

    EventLoop& loop_;
    CallRecord record_;
    KernelAnswers answers_;
    StuckWatch stuck_;
    std::unique_ptr<Backend> backend_;  // worker thread only
    int wake_fd_ = -1;

    std::mutex mutex_;  // guards everything below
    std::condition_variable wake_;
    std::deque<Numbered> tasks_;
    std::deque<Completion> completions_;
    std::optional<std::uint64_t> latest_progress_;
    bool loop_will_look_ = false;  // for progress, by itself
    OnProgress on_progress_;       // of the running task
    std::uint64_t running_ = 0;    // number of the running task, 0: none
    bool stopping_ = false;
    bool stopped_ = false;

    // loop thread only
    std::uint64_t next_number_ = 1;
    std::uint64_t unfinished_ = 0;  // tasks
    std::uint64_t calls_at_proof_ = 0;
    EventLoop::Source results_;
    EventLoop::Source next_look_;  // for progress
    std::thread thread_;
};

}  // namespace cxlmemd
