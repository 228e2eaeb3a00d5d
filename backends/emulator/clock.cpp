// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/clock.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace cxlmemd::emulator {

namespace {

timespec to_timespec(std::uint64_t usec) {
    return {.tv_sec = static_cast<std::time_t>(usec / 1'000'000),
            .tv_nsec = static_cast<long>(usec % 1'000'000 * 1'000)};
}

class MonotonicClock final : public Clock {
 public:
    MonotonicClock() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
        if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd");
    }
    ~MonotonicClock() override { ::close(fd_); }

    [[nodiscard]] std::uint64_t now_usec() const override {
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
               static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
    }

    // ppoll, since it is never restarted after a signal.
    [[nodiscard]] int wait(std::uint64_t usec, bool deaf) override {
        const std::uint64_t end = now_usec() + usec;
        for (std::uint64_t left = usec;;) {
            const timespec time = to_timespec(left);
            if (::ppoll(nullptr, 0, &time, nullptr) == 0) return 0;
            const int error = errno;
            if (error != EINTR || !deaf) return error;
            const std::uint64_t now = now_usec();
            if (now >= end) return 0;
            left = end - now;
        }
    }

    void wake_at(std::optional<std::uint64_t> usec) override {
        itimerspec time{};
        if (usec) time.it_value = to_timespec(*usec == 0 ? 1 : *usec);  // 0 would disarm it
        ::timerfd_settime(fd_, TFD_TIMER_ABSTIME, &time, nullptr);
    }

    [[nodiscard]] int fd() const override { return fd_; }

 private:
    int fd_;
};

}  // namespace

std::unique_ptr<Clock> monotonic_clock() {
    return std::make_unique<MonotonicClock>();
}

}  // namespace cxlmemd::emulator
