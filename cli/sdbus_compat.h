// SPDX-License-Identifier: LGPL-2.1-or-later
// What differs between sdbus-c++ 1.x (Debian 12) and 2.x (Debian 13), and nothing else.
//
// CXLMEMCTL_SDBUS_MAJOR comes from cli/CMakeLists.txt.
#pragma once

#include <poll.h>
#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace cxlmemctl::compat {

#if CXLMEMCTL_SDBUS_MAJOR >= 2
using sdbus::InterfaceName;
using sdbus::MethodName;
using sdbus::ServiceName;
using ProxyPath = sdbus::ObjectPath;
#else
using InterfaceName = std::string;
using MethodName = std::string;
using ServiceName = std::string;
using ProxyPath = std::string;
#endif

// Adds a match that lives as long as the connection.
template <class Handler>
void add_match(sdbus::IConnection& connection, const std::string& rule, Handler handler) {
#if CXLMEMCTL_SDBUS_MAJOR >= 2
    connection.addMatch(rule, std::move(handler));
#else
    connection.addMatch(rule, std::move(handler), sdbus::floating_slot);
#endif
}

// Dispatches one message, if there is one; false: nothing was left to do.
inline bool process_one(sdbus::IConnection& connection) {
#if CXLMEMCTL_SDBUS_MAJOR >= 2
    return connection.processPendingEvent();
#else
    return connection.processPendingRequest();
#endif
}

// The descriptors to poll for this connection, and for how long (milliseconds, -1: for ever).
inline int poll_set(const sdbus::IConnection& connection, std::vector<pollfd>& fds) {
    const auto data = connection.getEventLoopPollData();
    fds.push_back({data.fd, data.events, 0});
#if CXLMEMCTL_SDBUS_MAJOR >= 2
    fds.push_back({data.eventFd, POLLIN, 0});
#endif
    return data.getPollTimeout();
}

// Lets polkit ask the user for a password, for every method call of this connection. sdbus-c++ has no
// word for it in any version, but a message leads to its bus.
inline void set_interactive(sdbus::IProxy& any_proxy, bool interactive) {
    struct Reach : sdbus::MethodCall {
        explicit Reach(sdbus::MethodCall&& call) : sdbus::MethodCall(std::move(call)) {}
        [[nodiscard]] sd_bus* bus() const {
            return sd_bus_message_get_bus(static_cast<sd_bus_message*>(msg_));
        }
    };
    const Reach reach(
        any_proxy.createMethodCall(InterfaceName{"org.freedesktop.DBus.Peer"}, MethodName{"Ping"}));
    sd_bus_set_allow_interactive_authorization(reach.bus(), interactive ? 1 : 0);
}

}  // namespace cxlmemctl::compat
