// SPDX-License-Identifier: LGPL-2.1-or-later
// One source for sdbus-c++ 1.2 (Debian 12) and 2.x (Debian 13): what differs between them, here only.
#pragma once

#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-bus.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace cxlmemd::bus {

// In 1.x names are plain strings; in 2.x each is a class of its own with an explicit constructor.
#if __has_include(<sdbus-c++/VTableItems.h>)  // since 2.0
#define CXLMEMD_SDBUS_2 1
using ErrorName = sdbus::Error::Name;
using ServiceName = sdbus::ServiceName;
using InterfaceName = sdbus::InterfaceName;
using PropertyName = sdbus::PropertyName;
using MethodName = sdbus::MethodName;
using SignalName = sdbus::SignalName;
#else
#define CXLMEMD_SDBUS_2 0
using ErrorName = std::string;
using ServiceName = std::string;
using InterfaceName = std::string;
using PropertyName = std::string;
using MethodName = std::string;
using SignalName = std::string;
#endif

inline sdbus::Error make_error(const std::string& name, const std::string& message) {
    return sdbus::Error{ErrorName{name}, message};
}

// The message whose handler is running. Only valid inside a method handler.
inline decltype(auto) current_message(sdbus::IObject& object) {
#if CXLMEMD_SDBUS_2
    return object.getCurrentlyProcessedMessage();  // a value
#else
    return (*object.getCurrentlyProcessedMessage());  // a reference
#endif
}

// The sd-bus message inside, for what sdbus-c++ has no words for in any version.
class RawMessage final : private sdbus::Message {
 public:
    explicit RawMessage(const sdbus::Message& message) : sdbus::Message(message) {}

    [[nodiscard]] bool allows_interaction() const {
        return ::sd_bus_message_get_allow_interactive_authorization(raw()) > 0;
    }
    [[nodiscard]] bool expects_reply() const { return ::sd_bus_message_get_expect_reply(raw()) > 0; }
    [[nodiscard]] std::string signature() const {
        const char* text = ::sd_bus_message_get_signature(raw(), 1);
        return text != nullptr ? text : "";
    }
    // Of the connection that it belongs to.
    [[nodiscard]] sd_bus* bus() const { return ::sd_bus_message_get_bus(raw()); }

 private:
    [[nodiscard]] sd_bus_message* raw() const { return static_cast<sd_bus_message*>(msg_); }
};

// A proxy for calls alone.
inline std::unique_ptr<sdbus::IProxy> make_proxy(sdbus::IConnection& connection, const std::string& service,
                                                 const std::string& path) {
    return sdbus::createProxy(connection, ServiceName{service}, sdbus::ObjectPath{path});
}

inline sdbus::MethodCall make_call(sdbus::IProxy& proxy, const std::string& interface,
                                   const std::string& method) {
    return proxy.createMethodCall(InterfaceName{interface}, MethodName{method});
}

// The connection inside, for what sdbus-c++ has no words for in any version. Lives as long as `connection`.
inline sd_bus* raw_bus(sdbus::IConnection& connection) {
    const auto proxy = make_proxy(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus");
    const auto call = make_call(*proxy, "org.freedesktop.DBus", "GetId");  // never sent
    return RawMessage{call}.bus();
}

// Sends `call`; `done` gets the reply, or the error that came instead of one. Without a time limit.
// `done` must not throw, and must not destroy the proxy.
inline sdbus::PendingAsyncCall call_async(
    sdbus::IProxy& proxy, const sdbus::MethodCall& call,
    std::function<void(sdbus::MethodReply& reply, const sdbus::Error* error)> done) {
#if CXLMEMD_SDBUS_2
    return proxy.callMethodAsync(
        call,
        [done = std::move(done)](sdbus::MethodReply reply, std::optional<sdbus::Error> error) {
            done(reply, error ? &*error : nullptr);
        },
        UINT64_MAX);
#else
    return proxy.callMethod(call, sdbus::async_reply_handler{std::move(done)}, UINT64_MAX);
#endif
}

// A match that lives as long as the slot.
template <class Handler>
sdbus::Slot add_match(sdbus::IConnection& connection, const std::string& rule, Handler handler) {
#if CXLMEMD_SDBUS_2
    return connection.addMatch(rule, std::move(handler), sdbus::return_slot);
#else
    return connection.addMatch(rule, std::move(handler));
#endif
}

// For as long as the connection lives.
inline void add_object_manager(sdbus::IConnection& connection, const std::string& path) {
#if CXLMEMD_SDBUS_2
    connection.addObjectManager(sdbus::ObjectPath{path});
#else
    connection.addObjectManager(path, sdbus::floating_slot);
#endif
}

// What an event loop of one's own needs to drive a connection.
struct PollWish {
    int fd = -1;
    short events = 0;
    std::uint64_t until_usec = UINT64_MAX;  // CLOCK_MONOTONIC; UINT64_MAX: never
    int wake_fd = -1;                       // since 2.0: readable when another thread has work for the loop
};

inline PollWish poll_wish(const sdbus::IConnection& connection) {
    const auto data = connection.getEventLoopPollData();
#if CXLMEMD_SDBUS_2
    const bool never = data.timeout == std::chrono::microseconds::max();
    return {data.fd, data.events, never ? UINT64_MAX : static_cast<std::uint64_t>(data.timeout.count()),
            data.eventFd};
#else
    return {data.fd, data.events, data.timeout_usec, -1};
#endif
}

// True if there may be more.
inline bool process_one(sdbus::IConnection& connection) {
#if CXLMEMD_SDBUS_2
    return connection.processPendingEvent();
#else
    return connection.processPendingRequest();
#endif
}

}  // namespace cxlmemd::bus
