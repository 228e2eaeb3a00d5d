// Drives an sdbus-c++ connection from the sd-event loop. sdbus-c++ 2.x could attach itself; the same
// few lines serve both versions.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include "daemon/event_loop.h"
#include "dbus/sdbus_compat.h"

namespace cxlmemd {

class BusPump final {
 public:
    // `on_lost` is called once when the connection breaks; nothing is processed after it. It must not destroy
    // this.
    BusPump(EventLoop& loop, sdbus::IConnection& connection, EventLoop::Callback on_lost);

 private:
    void prepare();
    void process();
    void lose();

    EventLoop& loop_;
    sdbus::IConnection& connection_;
    EventLoop::Callback on_lost_;
    bool lost_ = false;
    EventLoop::Source io_;
    EventLoop::Source wake_;   // sdbus-c++ 2.x has an event fd of its own
    EventLoop::Source timer_;  // for messages that are queued already, and for call timeouts
};

}  // namespace cxlmemd
