// The door in front of every handler: what a call may carry before one byte of it is decoded.
//
// A filter on the connection sees each method call first and walks through its arguments where they lie in
// the message. What is too much is refused with InvalidArgument; nothing of it is copied or repeated. So
// neither our handlers nor sd-bus's own (Properties, Introspectable) ever hold, or echo, more than these
// budgets.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

// What the arguments of one call may come to.
struct CallBudget {
    std::size_t bytes = std::size_t{16} * 1024;  // all values together
    std::size_t string = std::size_t{4} * 1024;  // the longest one
    std::size_t values = 96;                     // how many, containers among them
    std::size_t names = 0;                       // the first ones are names of an interface or a property
};

// Of a method; those that have no need of their own get CallBudget{}.
[[nodiscard]] CallBudget budget_of(std::string_view interface, std::string_view member);

// As long as it lives. Loop thread.
class Door final {
 public:
    explicit Door(sdbus::IConnection& connection);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

 private:
    std::unique_ptr<sd_bus_slot, decltype(&::sd_bus_slot_unref)> filter_;
};

}  // namespace cxlmemd::bus
