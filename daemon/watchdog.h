// SPDX-License-Identifier: LGPL-2.1-or-later
// Feeds systemd's watchdog, after a turn of the loop that proved healthy.
//
// Each round asks for proofs: that the worker takes tasks or is inside a call into the kernel. systemd is
// told once all have come; a round without them is not made up for. Two rounds fit into WatchdogSec, so that
// a slow one is not the end.
//
// What it is for: a thread of ours that does not run any more. What it is not for: the bus, which is another
// process, and which others can keep busy; or a call into the kernel that does not come back. That thread is
// where it should be, a restart would wait for the same lock, and killing the process does not even end the
// call; see daemon/stuck_watch.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/event_loop.h"

namespace cxlmemd {

// The only timer of a daemon at rest, and only where the service manager wants to be fed. Loop thread.
class Watchdog final {
 public:
    struct Proof {
        std::string name;  // "the worker"
        // Runs `given` once the proof is there: at once, later, or never.
        std::function<void(std::function<void()> given)> ask;
    };
    struct Hooks {
        std::function<void()> feed;
        // A round ended without this proof; said once, until a round is good again.
        std::function<void(const std::string& name)> starves;
    };

    // `watchdog_usec`: how long systemd waits for food, as sd_watchdog_enabled(3) says. Feeds at once.
    Watchdog(EventLoop& loop, std::uint64_t watchdog_usec, std::vector<Proof> proofs, Hooks hooks);
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

 private:
    struct Round {
        std::vector<bool> given;
        bool fed = false;
    };
    void start_round();
    void take(const std::shared_ptr<Round>& round, std::size_t which);
    void end_round();

    EventLoop& loop_;
    const std::uint64_t round_usec_;
    const std::vector<Proof> proofs_;
    const Hooks hooks_;
    std::shared_ptr<Round> round_;  // proofs of an older one come too late
    bool starving_ = false;
    EventLoop::Source timer_;
};

}  // namespace cxlmemd
