// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "backends/linux/hotplug_write.h"
#include "daemon/recorded_backend.h"

namespace cxlmemd {

namespace {

constexpr std::uint64_t longest_farewell_usec = 5'000'000;
constexpr std::uint64_t progress_pause_usec = 50'000;

}  // namespace

const int Worker::interrupt_signal = SIGUSR1;

Worker::Worker(EventLoop& loop, std::unique_ptr<Backend> backend, StuckLimits limits)
    : loop_(loop),
      record_(monotonic_usec),
      stuck_(loop, record_, limits),
      backend_(std::make_unique<RecordedBackend>(std::move(backend), record_, answers_)) {
    stuck_.set_hooks({.stuck = [](const std::string&) {}, .back = [] {}});
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd_ < 0) throw std::system_error{errno, std::system_category(), "eventfd"};

    // Without SA_RESTART a blocked call returns EINTR. A write that waits for the hotplug lock restarts
    // itself whatever the flags say; the Linux backend knows how to end that.
    struct sigaction action {};
    action.sa_handler = [](int) { break_hotplug_write(); };
    if (::sigaction(interrupt_signal, &action, nullptr) != 0) {
        throw std::system_error{errno, std::system_category(), "sigaction"};
    }
    results_ = loop_.add_io(wake_fd_, EPOLLIN, [this] { drain(); });
    thread_ = std::thread{[this] { run(); }};
}

Worker::~Worker() {
    {
        std::unique_lock lock{mutex_};
        stopping_ = true;
        tasks_.clear();
        wake_.notify_all();
        // A signal can arrive just before the system call that it is meant for: repeat it.
        const std::uint64_t until = record_.now_usec() + longest_farewell_usec;
        while (!stopped_) {
            if (running_ != 0) ::pthread_kill(thread_.native_handle(), interrupt_signal);
            if (record_.now_usec() > until && record_.current()) ::_exit(1);
            wake_.wait_for(lock, std::chrono::milliseconds{20}, [this] { return stopped_; });
        }
    }
    thread_.join();
    results_.reset();
    next_look_.reset();
    ::close(wake_fd_);
}

std::uint64_t Worker::submit(Task task, OnProgress on_progress) {
    const std::uint64_t number = next_number_++;
    ++unfinished_;
    {
        const std::lock_guard lock{mutex_};
        tasks_.push_back({number, std::move(task), std::move(on_progress)});
    }
    wake_.notify_all();  // outside: it would wake up only to wait for the lock
    look();
    return number;
}

void Worker::look() {
    stuck_.look(unfinished_ != 0);
}

void Worker::prove(std::function<void()> alive) {
    const std::uint64_t calls = record_.calls();
    const bool moved = std::exchange(calls_at_proof_, calls) != calls;
    if (moved || record_.current()) return alive();
    submit([alive = std::move(alive)](Backend&) -> Completion { return alive; });
}

void Worker::progress(std::uint64_t value) {
    bool wake = false;
    {
        const std::lock_guard lock{mutex_};
        latest_progress_ = value;
        wake = !std::exchange(loop_will_look_, true);
    }
    if (wake) ::eventfd_write(wake_fd_, 1);
}

void Worker::interrupt(std::uint64_t task) {
    {
        const std::lock_guard lock{mutex_};
        if (running_ != task) return;
        ::pthread_kill(thread_.native_handle(), interrupt_signal);
    }
    record_.interrupted();
    look();
}

void Worker::interrupt_before(std::uint64_t task) {
    {
        const std::lock_guard lock{mutex_};
        if (running_ == 0 || running_ >= task) return;
        ::pthread_kill(thread_.native_handle(), interrupt_signal);
    }
    record_.interrupted();
    look();
}

void Worker::run() {
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
        if (stopping_) break;
        Numbered next = std::move(tasks_.front());
        tasks_.pop_front();
        running_ = next.number;
        on_progress_ = std::move(next.on_progress);
        latest_progress_.reset();
        lock.unlock();
        Completion done = next.task(*backend_);
        lock.lock();
        running_ = 0;
        completions_.push_back(std::move(done));
        lock.unlock();
        ::eventfd_write(wake_fd_, 1);
        lock.lock();
    }
    stopped_ = true;
    wake_.notify_all();
}

void Worker::drain() {
    eventfd_t ignored = 0;
    ::eventfd_read(wake_fd_, &ignored);

    std::deque<Completion> completions;
    {
        const std::lock_guard lock{mutex_};
        completions.swap(completions_);
    }
    unfinished_ -= completions.size();
    look();
    if (!next_look_) look_for_progress();
    for (Completion& completion : completions) {
        if (completion) completion();
    }
}

// Again and again while there is some: should the running task hang, its last word does not wait for another.
void Worker::look_for_progress() {
    std::optional<std::uint64_t> progress;
    OnProgress on_progress;
    {
        const std::lock_guard lock{mutex_};
        std::swap(progress, latest_progress_);
        loop_will_look_ = progress.has_value();
        // Progress of a task that has completed meanwhile comes too late to matter.
        if (progress && running_ != 0) on_progress = on_progress_;
    }
    next_look_.reset();
    if (!progress) return;
    next_look_ = loop_.add_timer(progress_pause_usec, [this] { look_for_progress(); });
    if (on_progress) on_progress(*progress);
}

}  // namespace cxlmemd
