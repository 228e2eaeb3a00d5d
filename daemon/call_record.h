// SPDX-License-Identifier: LGPL-2.1-or-later
// What the worker is doing in the kernel right now, for the loop thread to see.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace cxlmemd {

// Written by the worker around every backend call, read by the loop thread. Holds its own lock.
class CallRecord final {
 public:
    using Clock = std::uint64_t (*)();  // microseconds, CLOCK_MONOTONIC

    struct Call {
        std::uint64_t number = 0;  // which call since the start
        std::string what;          // "set_block: memory block 178 of dax0.0"
        std::uint64_t begin_usec = 0;
        std::optional<std::uint64_t> interrupted_usec;  // when it was first interrupted
    };

    explicit CallRecord(Clock clock) : clock_(clock) {}

    // `what` is asked for only if somebody looks, before end() returns: it may speak of what lives as long.
    void begin(std::function<std::string()> what);
    void end();
    // The call under way, if there is one, was sent a signal.
    void interrupted();

    [[nodiscard]] std::optional<Call> current() const;
    // Moves with every call that begins.
    [[nodiscard]] std::uint64_t calls() const;
    [[nodiscard]] std::uint64_t now_usec() const { return clock_(); }

 private:
    const Clock clock_;
    mutable std::mutex mutex_;  // guards everything below
    Call call_;                 // without its `what`
    std::function<std::string()> what_;
    bool under_way_ = false;
};

[[nodiscard]] std::uint64_t monotonic_usec();
// Since 1970, by CLOCK_REALTIME.
[[nodiscard]] std::uint64_t realtime_usec();

}  // namespace cxlmemd
