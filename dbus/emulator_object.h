// SPDX-License-Identifier: LGPL-2.1-or-later
// org.cxlmemd1.Emulator: makes things happen in the emulated machine. Only with that backend.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "dbus/gate.h"
#include "dbus/options.h"
#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.Emulator-adaptor.h"

namespace cxlmemd::bus {

class EmulatorObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::Emulator_adaptor> {
 public:
    using Details = std::map<std::string, InjectValue>;
    using Done = std::function<void(Result<>)>;
    // Injection runs on the worker; the reply is sent when `done` is called, on the loop thread.
    using Inject_fn = std::function<void(const std::string& event, Details details, Done done)>;

    EmulatorObject(sdbus::IConnection& connection, Inject_fn inject, Authority& authority);
    EmulatorObject(const EmulatorObject&) = delete;
    EmulatorObject& operator=(const EmulatorObject&) = delete;
    ~EmulatorObject() { unregisterAdaptor(); }
    using sdbus::ObjectHolder::getObject;

 private:
    void Inject(sdbus::Result<>&& result, std::string event, VariantMap details) override;

    Inject_fn inject_;
    Gate gate_;
};

}  // namespace cxlmemd::bus
