// The bus itself, as somebody to talk to.
#pragma once

#include <functional>
#include <memory>

#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

// Loop thread; no call blocks.
class Broker final {
 public:
    explicit Broker(sdbus::IConnection& connection);

    // A round trip: everything that was sent before has left by then. `answered` runs when it is over, and
    // never if the bus does not answer.
    void ping(std::function<void()> answered);

 private:
    std::unique_ptr<sdbus::IProxy> proxy_;
};

}  // namespace cxlmemd::bus
