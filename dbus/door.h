// SPDX-License-Identifier: LGPL-2.1-or-later
// The door in front of every handler: what a call may carry before one byte of it is decoded.
//
// A filter on the connection sees each method call first and walks through its arguments where they lie in
// the message. What is too much is refused with InvalidArgument; nothing of it is copied or repeated. So
// neither our handlers nor sd-bus's own (Properties, Introspectable) ever hold, or echo, more than these
// budgets. Nor does a caller get more while it leaves unread what it has got (dbus/unread.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "dbus/sdbus_compat.h"
#include "dbus/unread.h"

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
    // About how many bytes the answers come to.
    struct Sizes {
        std::size_t everything = 0;  // all objects with all their properties
        std::size_t manager = 0;     // the properties of the manager
    };

    Door(sdbus::IConnection& connection, std::function<Sizes()> sizes);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

 private:
    int look_at(sd_bus_message* message);
    int refuse_unread(sd_bus_message* message, Unread::Verdict verdict) const;
    [[nodiscard]] std::size_t answer_bytes(sd_bus_message* message, std::size_t asked_bytes) const;
    static int on_message(sd_bus_message* message, void* door, sd_bus_error*) noexcept;

    std::function<Sizes()> sizes_;
    Unread unread_;
    std::unique_ptr<sd_bus_slot, decltype(&::sd_bus_slot_unref)> filter_;
};

}  // namespace cxlmemd::bus
