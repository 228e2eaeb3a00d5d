// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets a caller be answered from the machine as it is now: what changes without an event is scanned first.
//
// Callers who ask together share one scan, scans for callers have a rate of their own, and nobody waits for
// one longer than patience_usec: whoever has to be answered from the last scan is told why. Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "daemon/clock.h"
#include "policy/error.h"

namespace cxlmemd {

class FreshLook final {
 public:
    // Whether the caller may change something. Strangers cannot take the places of those who may.
    enum class Caller : std::uint8_t { anyone, authorised };

    struct Hooks {
        // Scans everything, at once; its argument runs after a scan that began later than this call, with why
        // the topology in force is still the old one: ErrorCode::canceled if that scan was interrupted.
        std::function<void(std::function<void(const std::optional<Error>& failed)>)> rescan;
        // The kernel call that the worker does not come back from; empty: there is none.
        std::function<std::string()> stuck_call;
    };

    // `outdated`: why the topology in force may be older than the call; nullopt: it is not.
    // ErrorCode::canceled: the daemon is stopping, and nothing is to be done any more.
    using Then = std::function<void(const std::optional<Error>& outdated)>;

    // What one caller waits at most, and how many may wait.
    static constexpr std::uint64_t patience_usec = 2'000'000;
    static constexpr std::size_t most_of_anyone = 256;
    static constexpr std::size_t most = 1024;
    // Scans for callers, small ones, one after the other: so far apart once the credit is used up.
    static constexpr std::uint64_t least_gap_usec = 20'000;
    static constexpr std::uint64_t credit_usec = 500'000;

    FreshLook(Clock& clock, Hooks hooks) : clock_(clock), hooks_(std::move(hooks)) {}
    FreshLook(const FreshLook&) = delete;
    FreshLook& operator=(const FreshLook&) = delete;

    // `then` runs once: at once if no scan can be waited for, else later.
    void look(Caller caller, Then then);

    // Answers with what `attempt` makes of the last scan, unless that is a refusal: then with what it makes
    // of a new one (`looked`). Another job in the way (ErrorCode::busy) is nothing that a scan shows.
    template <class T>
    void look_before_refusing(Caller caller, std::function<Result<T>(bool looked)> attempt,
                              std::function<void(Result<T>)> then) {
        Result<T> at_once = attempt(false);
        if (at_once || at_once.error().code == ErrorCode::busy) return then(std::move(at_once));
        look(caller,
             [attempt = std::move(attempt), then = std::move(then)](const std::optional<Error>& outdated) {
                 if (outdated && outdated->code == ErrorCode::canceled) return then(fail(*outdated));
                 Result<T> now = attempt(true);
                 if (!now && outdated) now = fail(as_of_last_scan(now.error(), *outdated));
                 then(std::move(now));
             });
    }
    // A refusal that no scan could confirm.
    [[nodiscard]] static Error as_of_last_scan(Error refusal, const Error& outdated);

    // The daemon is stopping: whoever waits is told so now, and from now on.
    void close();

 private:
    struct Waiting {
        Caller caller;
        std::uint64_t since_usec;
        Then then;
    };
    [[nodiscard]] std::optional<Error> why_not_now(Caller caller) const;
    void begin_scan();
    void scanned(std::uint64_t began_usec, const std::optional<Error>& failed);
    void answer_first(std::size_t count, const std::optional<Error>& outdated);
    void watch_patience();
    void patience_is_over();

    Clock& clock_;
    Hooks hooks_;
    std::deque<Waiting> waiting_;  // oldest first
    std::size_t in_scan_ = 0;      // so many of them, from the front, are answered by the scan under way
    bool scanning_ = false;
    bool closed_ = false;
    std::uint64_t due_usec_ = 0;  // when the next scan would begin if there were no credit
    Clock::Timer pause_;          // until the rate allows the next scan
    Clock::Timer patience_;       // of the oldest caller
};

}  // namespace cxlmemd
