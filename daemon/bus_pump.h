// SPDX-License-Identifier: LGPL-2.1-or-later
// Drives an sdbus-c++ connection from the sd-event loop. sdbus-c++ 2.x could attach itself; the same
// few lines serve both versions.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include "daemon/event_loop.h"
#include "dbus/sdbus_compat.h"

namespace cxlmemd {

// A turn takes messages for some milliseconds, however many there are. While the broker takes nothing from
// us, nothing is taken in either, so that what we hold is bounded; and if it does not for seconds, with
// answers waiting, the connection is of no more use: clients that read nothing have filled what it grants one
// sender (dbus/unread.h), or it hangs. A new connection begins with nothing against it.
class BusPump final {
 public:
    // `on_lost` is called once when the connection breaks; nothing is processed after it. It must not destroy
    // this.
    BusPump(EventLoop& loop, sdbus::IConnection& connection, EventLoop::Callback on_lost);

 private:
    void prepare();
    void process();
    void lose();
    [[nodiscard]] std::uint64_t queued() const;
    [[nodiscard]] bool is_full() const;
    void watch_for_stall();
    void look_for_progress();

    EventLoop& loop_;
    sdbus::IConnection& connection_;
    sd_bus* bus_;
    int fd_ = -1;
    EventLoop::Callback on_lost_;
    bool lost_ = false;
    EventLoop::Source io_;
    EventLoop::Source wake_;   // sdbus-c++ 2.x has an event fd of its own
    EventLoop::Source timer_;  // for messages that are queued already, and for call timeouts
    EventLoop::Source stall_;  // while messages wait to be sent
    int bytes_in_socket_ = 0;
    int looks_in_vain_ = 0;
};

}  // namespace cxlmemd
