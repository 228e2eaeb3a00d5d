// SPDX-License-Identifier: LGPL-2.1-or-later
// Time that passes when a test says so.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "daemon/clock.h"

namespace cxlmemd::test {

// One thread, but now_usec().
class FakeClock final : public Clock {
 public:
    [[nodiscard]] std::uint64_t now_usec() const override { return now_; }
    [[nodiscard]] Timer after(std::uint64_t delay_usec, std::function<void()> callback) override {
        auto timer = std::make_shared<std::function<void()>>(std::move(callback));
        timers_.emplace(now_ + delay_usec, timer);
        return timer;
    }
    // Runs what is due meanwhile, in order.
    void pass(std::uint64_t usec) {
        const std::uint64_t until = now_ + usec;
        while (!timers_.empty() && timers_.begin()->first <= until) {
            const auto due = timers_.begin()->second.lock();
            now_ = timers_.begin()->first;
            timers_.erase(timers_.begin());
            if (due) {
                const auto callback = *due;
                callback();
            }
        }
        now_ = until;
    }
    [[nodiscard]] std::size_t waiting() const {
        std::size_t count = 0;
        for (const auto& [at, timer] : timers_) count += timer.expired() ? 0 : 1;
        return count;
    }

 private:
    std::atomic<std::uint64_t> now_ = 1'000'000'000;
    std::multimap<std::uint64_t, std::weak_ptr<std::function<void()>>> timers_;
};

}  // namespace cxlmemd::test
