// SPDX-License-Identifier: LGPL-2.1-or-later
// The connection that --bus names.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/event_loop.h"

namespace cxlmemd {

// One attempt to connect, on a thread of its own: a bus that lets us in and then does not answer (it is being
// restarted, or stopped in a debugger) holds up that thread, and not the loop.
class Connecting final {
 public:
    // Either a connection, or why there is none.
    using Done =
        std::function<void(std::shared_ptr<sdbus::IConnection> connection, const std::string& error)>;

    // `bus`: "system", "session", or a D-Bus address. `done` runs once, on the loop. Throws std::system_error
    // if there is no thread to be had.
    Connecting(EventLoop& loop, const std::string& bus, Done done);
    Connecting(const Connecting&) = delete;
    Connecting& operator=(const Connecting&) = delete;
    // Leaves the thread behind: it drops the connection, should there ever be one.
    ~Connecting();

    // Waits so long for it to be over; `done` runs on the loop all the same.
    void wait(std::uint64_t usec);

 private:
    struct Attempt;
    std::shared_ptr<Attempt> attempt_;
    EventLoop::Source over_;
};

}  // namespace cxlmemd
