// SPDX-License-Identifier: LGPL-2.1-or-later
// The time of an emulated machine: nothing in it looks at another clock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

namespace cxlmemd::emulator {

// Any thread may call anything.
class Clock {
 public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    // Never goes back; where it starts means nothing.
    [[nodiscard]] virtual std::uint64_t now_usec() const = 0;
    // Lets so much time pass for the calling thread: 0 when it is over, EINTR after a signal, which a deaf
    // wait does not hear.
    [[nodiscard]] virtual int wait(std::uint64_t usec, bool deaf) = 0;
    // From this time on fd() is readable, until the next call. Without a time it never is, and nothing
    // wakes up.
    virtual void wake_at(std::optional<std::uint64_t> usec) = 0;
    [[nodiscard]] virtual int fd() const = 0;
};

// CLOCK_MONOTONIC. Throws std::system_error if the kernel has no file descriptor left.
[[nodiscard]] std::unique_ptr<Clock> monotonic_clock();

}  // namespace cxlmemd::emulator
