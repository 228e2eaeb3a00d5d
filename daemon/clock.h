// SPDX-License-Identifier: LGPL-2.1-or-later
// Time as those see it who wait: passed in, so that tests need not wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/call_record.h"
#include "daemon/event_loop.h"

namespace cxlmemd {

class Clock {
 public:
    // Set while it waits, unless its owner forgets it; resetting it ends it, and its callback never runs
    // then.
    using Timer = std::shared_ptr<void>;

    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    // CLOCK_MONOTONIC in microseconds. Any thread: it outlives the worker, whose tasks read it.
    [[nodiscard]] virtual std::uint64_t now_usec() const = 0;
    // Once, so much later. Loop thread.
    [[nodiscard]] virtual Timer after(std::uint64_t delay_usec, std::function<void()> callback) = 0;
};

// The loop outlives it and its timers.
class LoopClock final : public Clock {
 public:
    explicit LoopClock(EventLoop& loop) : loop_(loop) {}
    [[nodiscard]] std::uint64_t now_usec() const override { return monotonic_usec(); }
    [[nodiscard]] Timer after(std::uint64_t delay_usec, std::function<void()> callback) override {
        // The loop counts from the beginning of its turn.
        const std::uint64_t now = now_usec();
        const std::uint64_t turn = loop_.now_usec();
        const std::uint64_t since = now > turn ? now - turn : 0;
        const std::uint64_t delay = delay_usec > UINT64_MAX - since ? UINT64_MAX : delay_usec + since;
        return std::make_shared<EventLoop::Source>(loop_.add_timer(delay, std::move(callback)));
    }

 private:
    EventLoop& loop_;
};

}  // namespace cxlmemd
