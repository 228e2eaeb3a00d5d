// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/checker.h"

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

namespace cxlmemd {

namespace {

Error error_of(ErrorCode code, std::string reason, std::string advice = {}) {
    return {.code = code,
            .object = {},
            .operation = "CheckPolicy",
            .errnum = 0,
            .reason = std::move(reason),
            .advice = std::move(advice)};
}

std::size_t bytes_of(const std::vector<SourceFile>& files) {
    std::size_t out = 0;
    for (const SourceFile& file : files) out += file.name.size() + file.text.size();
    return out;
}

}  // namespace

Checker::Checker(EventLoop& loop, CheckLimits limits) : loop_(loop), limits_(limits) {
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    result_ = loop_.add_io(wake_fd_, EPOLLIN, [this] { take_result(); });
}

Checker::~Checker() {
    {
        const std::lock_guard lock{mutex_};
        ends_ = true;
        stop_ = true;
    }
    work_.notify_one();
    if (thread_.joinable()) thread_.join();
    result_.reset();
    ::close(wake_fd_);
}

void Checker::check(std::vector<SourceFile> files, std::uint32_t uid, Then then) {
    if (is_closed_) return then(fail(error_of(ErrorCode::canceled, "the daemon stops")));
    Job job{.uid = uid, .bytes = bytes_of(files), .files = std::move(files), .then = std::move(then)};
    const auto share = shares_.find(uid);
    const Share of_user = share == shares_.end() ? Share{} : share->second;
    if (of_user.texts >= limits_.of_user || of_user.bytes + job.bytes > limits_.bytes_of_user) {
        return job.then(fail(error_of(ErrorCode::busy,
                                      std::to_string(of_user.texts) + " texts of uid " + std::to_string(uid) +
                                          " are being checked, as much as one user may ask for",
                                      "wait for their answers")));
    }
    if (unfinished_ >= limits_.all || bytes_ + job.bytes > limits_.bytes) {
        return job.then(fail(error_of(ErrorCode::busy, "too many texts are being checked", "try again")));
    }
    ++unfinished_;
    bytes_ += job.bytes;
    shares_[uid] = {.texts = of_user.texts + 1, .bytes = of_user.bytes + job.bytes};
    waiting_[uid].push_back(std::move(job));
    if (!running_) begin_next();
}

void Checker::see(std::vector<SeenKind> kinds) {
    const std::lock_guard lock{mutex_};
    kinds_ = std::move(kinds);
}

void Checker::close() {
    is_closed_ = true;
    stop_ = true;
    const auto stopped = [](const Job& job) {
        job.then(fail(error_of(ErrorCode::canceled, "the daemon stops")));
    };
    for (const auto& [uid, jobs] : std::exchange(waiting_, {})) {
        for (const Job& job : jobs) stopped(job);
    }
    if (running_) stopped(*std::exchange(running_, std::nullopt));
}

// The next user's turn, in the order of their numbers.
void Checker::begin_next() {
    if (waiting_.empty()) return;
    auto turn = waiting_.upper_bound(last_uid_);
    if (turn == waiting_.end()) turn = waiting_.begin();
    last_uid_ = turn->first;
    running_ = std::move(turn->second.front());
    turn->second.pop_front();
    if (turn->second.empty()) waiting_.erase(turn);

    {
        const std::lock_guard lock{mutex_};
        stop_ = false;
        input_ = std::move(running_->files);
    }
    if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
    work_.notify_one();
    deadline_ = loop_.add_timer(limits_.usec, [this] { stop_ = true; });
}

void Checker::run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    // Behind the others, but not idle: it holds the lock of the heap that all threads share. If the sandbox
    // does not let it, it is a thread like any other, and the machine has more than one.
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10));

    std::unique_lock lock{mutex_};
    while (true) {
        work_.wait(lock, [this] { return ends_ || input_; });
        if (ends_) return;
        std::vector<SourceFile> files = std::move(*input_);
        input_.reset();
        const std::vector<SeenKind> kinds = kinds_;
        lock.unlock();
        Result<std::vector<Problem>> outcome;
        try {
            outcome = check_files(std::move(files), &stop_, kinds);
        } catch (const std::exception& e) {
            outcome = fail(error_of(ErrorCode::failed, std::string{"the check failed: "} + e.what()));
        }
        if (stop_) {
            outcome = fail(error_of(ErrorCode::timed_out, "the text takes too long to check",
                                    "check it with cxlmemd --check-config, or in parts"));
        }
        // A large text leaves a large heap behind.
        ::malloc_trim(0);
        lock.lock();
        output_ = std::move(outcome);
        const std::uint64_t one = 1;
        while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

void Checker::take_result() {
    std::uint64_t count = 0;
    if (::read(wake_fd_, &count, sizeof count) < 0) return;
    std::optional<Result<std::vector<Problem>>> outcome;
    {
        const std::lock_guard lock{mutex_};
        outcome = std::exchange(output_, std::nullopt);
    }
    if (!outcome || !running_) return;
    deadline_.reset();
    const Job job = std::move(*std::exchange(running_, std::nullopt));
    --unfinished_;
    bytes_ -= job.bytes;
    Share& share = shares_[job.uid];
    share = {.texts = share.texts - 1, .bytes = share.bytes - job.bytes};
    if (share.texts == 0) shares_.erase(job.uid);
    begin_next();
    job.then(std::move(*outcome));
}

}  // namespace cxlmemd
