// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks policy texts of strangers: on a thread of its own, with a lower priority than the others, so that no
// text holds up the loop or the worker.
//
// Values go in and come out; nothing mutable is shared but a flag that ends a check whose time is over. The
// thread begins with the first text.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "daemon/event_loop.h"
#include "policy/compile.h"
#include "policy/error.h"

namespace cxlmemd {

struct CheckLimits {
    std::uint64_t usec = 10'000'000;  // of one check, once it has begun
    // Texts that wait or run, and their bytes. The message that a text came in is kept as long.
    std::size_t of_user = 4;
    std::size_t all = 32;
    std::size_t bytes_of_user = std::size_t{9} * 1024 * 1024;
    std::size_t bytes = std::size_t{18} * 1024 * 1024;
};

// Loop thread.
class Checker final {
 public:
    using Then = std::function<void(Result<std::vector<Problem>>)>;

    explicit Checker(EventLoop& loop, CheckLimits limits = {});
    Checker(const Checker&) = delete;
    Checker& operator=(const Checker&) = delete;
    // Drops what waits, ends what runs.
    ~Checker();

    // `then` runs once, later, on the loop thread: the problems, or timed_out. At once, and with busy, if the
    // user or all together have too many; not at all if the checker goes first. Users take turns.
    void check(std::vector<SourceFile> files, std::uint32_t uid, Then then);
    // What the machine has, for warnings about it; of checks that begin from now on.
    void see(std::vector<SeenKind> kinds);
    // The daemon stops: whoever waits is told so now, and from now on.
    void close();

 private:
    struct Job {
        std::uint64_t number = 0;
        std::uint32_t uid = 0;
        std::size_t bytes = 0;
        std::vector<SourceFile> files;
        Then then;
    };
    void begin_next();
    void run();
    void take_result();

    EventLoop& loop_;
    const CheckLimits limits_;
    std::map<std::uint32_t, std::deque<Job>> waiting_;  // by uid
    std::optional<Job> running_;                        // its files are with the thread
    std::uint32_t last_uid_ = 0;
    std::size_t unfinished_ = 0;
    bool is_closed_ = false;
    std::size_t bytes_ = 0;
    struct Share {
        std::size_t texts = 0;
        std::size_t bytes = 0;
    };
    std::map<std::uint32_t, Share> shares_;  // of users with texts
    EventLoop::Source deadline_;
    EventLoop::Source result_;
    int wake_fd_ = -1;

    std::mutex mutex_;  // guards the five below
    std::condition_variable work_;
    std::optional<std::vector<SourceFile>> input_;
    std::optional<Result<std::vector<Problem>>> output_;
    std::vector<SeenKind> kinds_;
    bool ends_ = false;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

}  // namespace cxlmemd
