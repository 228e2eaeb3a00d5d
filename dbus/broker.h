// SPDX-License-Identifier: LGPL-2.1-or-later
// The bus itself, as somebody to talk to.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dbus/sdbus_compat.h"
#include "policy/error.h"

namespace cxlmemd::bus {

// Loop thread; no call blocks.
class Broker final {
 public:
    explicit Broker(sdbus::IConnection& connection);

    // busy: another connection has the name; not_authorized: the bus policy does not let us have it; failed:
    // anything else, a bus that is gone most likely. `answered` never runs if the bus does not answer, or if
    // this is gone; it must not destroy this.
    void request_name(const std::string& name, std::function<void(Result<>)> answered);

 private:
    std::unique_ptr<sdbus::IProxy> proxy_;
};

}  // namespace cxlmemd::bus
