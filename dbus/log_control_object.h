// SPDX-License-Identifier: LGPL-2.1-or-later
// org.freedesktop.LogControl1: systemd's interface for the log of a service.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dbus/authorize.h"
#include "dbus/sdbus_compat.h"
#include "org.freedesktop.LogControl1-adaptor.h"

namespace cxlmemd::bus {

// What can be turned. A set_ function returns false for a word that it does not know.
struct LogKnobs {
    std::function<std::string()> level;
    std::function<bool(const std::string&)> set_level;
    std::function<std::string()> target;
    std::function<bool(const std::string&)> set_target;
    std::string identifier;
};

// Only root, and the user that the daemon runs as, may write: polkit is not asked. Who the caller is takes a
// question to the bus, and a setter of sdbus-c++ has to answer at once; so Set is taken in front of it. Loop
// thread.
class LogControlObject final : public sdbus::AdaptorInterfaces<org::freedesktop::LogControl1_adaptor> {
 public:
    LogControlObject(sdbus::IConnection& connection, LogKnobs knobs, Authority& authority);
    LogControlObject(const LogControlObject&) = delete;
    LogControlObject& operator=(const LogControlObject&) = delete;
    ~LogControlObject() { unregisterAdaptor(); }

 private:
    std::string LogLevel() override { return knobs_.level(); }
    void LogLevel(const std::string& value) override;
    std::string LogTarget() override { return knobs_.target(); }
    void LogTarget(const std::string& value) override;
    // 1: the message is ours, and is answered sooner or later.
    int take(sd_bus_message* message);
    std::string SyslogIdentifier() override { return knobs_.identifier; }

    LogKnobs knobs_;
    Authority& authority_;
    std::unique_ptr<sd_bus_slot, decltype(&::sd_bus_slot_unref)> filter_{nullptr, &::sd_bus_slot_unref};
    std::shared_ptr<LogControlObject*> alive_ = std::make_shared<LogControlObject*>(this);
};

}  // namespace cxlmemd::bus
