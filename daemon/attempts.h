// SPDX-License-Identifier: LGPL-2.1-or-later
// Trying again after failures: how often and after what pauses (daemon.toml's [retry]), and when to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <variant>

#include "daemon/clock.h"
#include "daemon/retry.h"
#include "policy/settings.h"

namespace cxlmemd {

// Ready for a try; or waiting for a pause to end; or waiting for room, though nothing has failed; or given
// up. Loop thread.
class Attempts final {
 public:
    Attempts() = default;
    Attempts(const Attempts&) = delete;
    Attempts& operator=(const Attempts&) = delete;

    [[nodiscard]] bool ready() const { return std::holds_alternative<Ready>(state_); }
    [[nodiscard]] bool waiting() const { return std::holds_alternative<Waiting>(state_); }
    [[nodiscard]] bool no_room() const { return std::holds_alternative<NoRoom>(state_); }
    [[nodiscard]] bool given_up() const { return std::holds_alternative<GivenUp>(state_); }
    [[nodiscard]] std::uint32_t failures() const { return failures_; }  // in a row

    // As if nothing had failed.
    void reset() {
        failures_ = 0;
        state_ = Ready{};
    }
    void give_up() { state_ = GivenUp{}; }
    void wait_for_room() { state_ = NoRoom{}; }
    // There is room, or the pause is not waited for: ready, and what failed still counts.
    void resume() {
        if (!given_up()) state_ = Ready{};
    }

    // A try failed: waits, grows, and runs `over` when ready again; or gives up, and returns false.
    bool failed(Clock& clock, const RetrySettings& retry, std::function<void()> over) {
        if (++failures_ >= retry.attempts) {
            give_up();
            return false;
        }
        // The timer lives in this object, which may not move while it waits: its owners are nodes of maps.
        state_ = Waiting{clock.after(pause_after(failures_, retry), [this, over = std::move(over)] {
            const auto then = over;  // ends with the timer
            state_ = Ready{};
            then();
        })};
        return true;
    }

 private:
    struct Ready {};
    struct Waiting {
        Clock::Timer timer;
    };
    struct NoRoom {};
    struct GivenUp {};

    std::uint32_t failures_ = 0;
    std::variant<Ready, Waiting, NoRoom, GivenUp> state_;
};

}  // namespace cxlmemd
