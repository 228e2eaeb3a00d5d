// SPDX-License-Identifier: LGPL-2.1-or-later
// Everything that the daemon has on one connection to the bus; made anew for each.
#pragma once

#include <memory>

#include "backends/emulator/emulator_backend.h"
#include "daemon/bus_pump.h"
#include "daemon/event_loop.h"
#include "daemon/log.h"
#include "daemon/service.h"
#include "dbus/authorize.h"
#include "dbus/broker.h"
#include "dbus/door.h"
#include "dbus/emulator_object.h"
#include "dbus/log_control_object.h"
#include "dbus/tree.h"

namespace cxlmemd {

// Must outlive every session.
struct BusContent {
    EventLoop& loop;
    Service& service;
    Log& log;
    bus::ManagerFixed manager;
    EmulatorControl* control = nullptr;  // null with the linux backend
};

// Loop thread.
class BusSession final {
 public:
    // Registers everything; the service shows what there is from then on. `on_lost` runs, perhaps more than
    // once, when the connection is of no more use; it must not destroy this.
    BusSession(std::shared_ptr<sdbus::IConnection> connection, const BusContent& content,
               const EventLoop::Callback& on_lost);
    BusSession(const BusSession&) = delete;
    BusSession& operator=(const BusSession&) = delete;
    ~BusSession();

    // See Broker::request_name.
    void take_name(std::function<void(Result<>)> answered);

    // The daemon stops: open questions to polkit end as canceled.
    void close();

    // What replies on their way still refer to: it must outlive them.
    [[nodiscard]] std::shared_ptr<sdbus::IConnection> connection() const { return connection_; }

 private:
    // In the order of their coming; they leave in the reverse one (R1).
    std::shared_ptr<sdbus::IConnection> connection_;
    Service& service_;
    bus::Door door_;
    bus::Authority authority_;
    bus::Tree tree_;
    std::unique_ptr<bus::EmulatorObject> emulator_;
    bus::LogControlObject log_control_;
    bus::Broker broker_;
    BusPump pump_;
};

}  // namespace cxlmemd
