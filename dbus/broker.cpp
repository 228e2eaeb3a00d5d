#include "dbus/broker.h"

#include <utility>

namespace cxlmemd::bus {

Broker::Broker(sdbus::IConnection& connection)
    : proxy_(make_proxy(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus")) {}

void Broker::ping(std::function<void()> answered) {
    try {
        const auto call = make_call(*proxy_, "org.freedesktop.DBus", "GetId");
        call_async(*proxy_, call,
                   [answered = std::move(answered)](sdbus::MethodReply&, const sdbus::Error* error) {
                       if (error == nullptr) answered();
                   });
    } catch (const sdbus::Error&) {
        // The bus takes no message: no answer will come, which is what this is to find out.
    }
}

}  // namespace cxlmemd::bus
