// SPDX-License-Identifier: LGPL-2.1-or-later
// A clock that stands still until the test moves it, or an emulated operation takes its time.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "backends/emulator/clock.h"

namespace cxlmemd::emulator {

// For one thread.
class ManualClock final : public Clock {
 public:
    ManualClock() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~ManualClock() override { ::close(fd_); }

    [[nodiscard]] std::uint64_t now_usec() const override { return now_; }
    [[nodiscard]] int wait(std::uint64_t usec, bool) override {
        advance(usec);
        return 0;
    }
    void wake_at(std::optional<std::uint64_t> usec) override {
        alarm_ = usec;
        ring();
    }
    [[nodiscard]] int fd() const override { return fd_; }

    void advance(std::uint64_t usec) {
        now_ += usec;
        ring();
    }
    // Whether anything waits for its time.
    [[nodiscard]] bool is_armed() const { return alarm_.has_value(); }

 private:
    void ring() const {
        eventfd_t ignored = 0;
        static_cast<void>(::eventfd_read(fd_, &ignored));
        if (alarm_ && *alarm_ <= now_) static_cast<void>(::eventfd_write(fd_, 1));
    }

    int fd_;
    std::uint64_t now_ = 1'000'000;
    std::optional<std::uint64_t> alarm_;
};

}  // namespace cxlmemd::emulator
