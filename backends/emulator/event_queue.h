// SPDX-License-Identifier: LGPL-2.1-or-later
// Events on their way from the worker thread, where they happen, to the loop thread.
//
// Bounded: past `capacity` waiting events they are all replaced by one of scope everything, as the
// kernel's netlink socket overruns. Thread-safe; the lock is held for the length of a copy only.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "backends/backend.h"

namespace cxlmemd::emulator {

class EventQueue final {
 public:
    static constexpr std::size_t capacity = 4096;
    static constexpr std::size_t most_at_once = 256;

    EventQueue();  // throws std::system_error if the kernel has no eventfd to give
    EventQueue(const EventQueue&) = delete;
    EventQueue& operator=(const EventQueue&) = delete;
    ~EventQueue();

    void push(Event event);
    // So many events about nothing, the given ones in turn, before anything that waits; none of them is
    // lost to an overflow. They are made as they are taken. A storm that goes on is replaced.
    void storm(std::vector<Event> in_turn, std::uint64_t count);
    [[nodiscard]] std::vector<Event> take();
    [[nodiscard]] int fd() const { return fd_; }
    // Makes fd() readable though there is no event: whoever calls take() has something else to do, too.
    void nudge();

 private:
    [[nodiscard]] bool idle() const { return waiting_.empty() && storm_left_ == 0; }
    void signal();

    int fd_;
    std::mutex mutex_;
    std::deque<Event> waiting_;
    std::vector<Event> storm_;
    std::uint64_t storm_left_ = 0;
    std::uint64_t storm_given_ = 0;
    bool signalled_ = false;  // fd() is readable
};

}  // namespace cxlmemd::emulator
