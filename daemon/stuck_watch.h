// SPDX-License-Identifier: LGPL-2.1-or-later
// Notices a call into the kernel that does not come back.
//
// The kernel does one hotplug operation at a time under one lock, and some of its waits cannot be
// interrupted. A worker in such a call is not dead: killing the daemon would not end the call, and a new
// daemon would wait for the same lock. So this is shown (Manager.State "degraded", Conflicts "worker", the
// journal), and never answered by a restart; the watchdog is for threads of ours that do not run any more
// (daemon/watchdog.h).
//
// A call counts as stuck when it has taken `call_usec`, longer than any offline that still gets somewhere, or
// `vain_usec` after it was first interrupted: a caller's cancel, a job's deadline and a device's removal all
// interrupt, and the kernel obeys within milliseconds where it can.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "daemon/call_record.h"
#include "daemon/event_loop.h"

namespace cxlmemd {

struct StuckLimits {
    std::uint64_t call_usec = 120'000'000;
    std::uint64_t vain_usec = 10'000'000;
};

// Has a deadline in the loop only while a call is under way. Loop thread.
class StuckWatch final {
 public:
    struct Hooks {
        std::function<void(const std::string& what)> stuck;  // once a call
        std::function<void()> back;                          // it did come back
    };

    StuckWatch(EventLoop& loop, const CallRecord& record, StuckLimits limits)
        : loop_(loop), record_(record), limits_(limits) {}
    void set_hooks(Hooks hooks) { hooks_ = std::move(hooks); }

    // Something was given to the worker, or came back from it, or it was interrupted. `busy`: the worker
    // has something to do.
    void look(bool busy);

 private:
    [[nodiscard]] std::uint64_t stuck_at(const CallRecord::Call& call) const;
    void look_again_at(std::uint64_t usec);

    EventLoop& loop_;
    const CallRecord& record_;
    const StuckLimits limits_;
    Hooks hooks_;
    EventLoop::Source timer_;
    std::uint64_t timer_usec_ = 0;
    std::optional<std::uint64_t> stuck_;  // number of the call that was told to be stuck
};

}  // namespace cxlmemd
