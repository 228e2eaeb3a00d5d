// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/log_control_object.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dbus/authorize.h"
#include "dbus/guard.h"
#include "dbus/names.h"
#include "policy/text.h"

namespace cxlmemd::bus {

namespace {

using MessageRef = std::shared_ptr<sd_bus_message>;

void send(const MessageRef& message, const Result<>& outcome) {
    if (outcome) {
        static_cast<void>(::sd_bus_reply_method_return(message.get(), nullptr));
        return;
    }
    const sdbus::Error error = to_bus_error(outcome.error());
    const std::string name{error.getName()};
    static_cast<void>(::sd_bus_reply_method_errorf(message.get(), name.c_str(), "%s",
                                                   std::string{error.getMessage()}.c_str()));
}

Result<> no_such(const std::string& what, const std::string& value, const std::string& advice) {
    return fail({.code = ErrorCode::invalid_argument,
                 .object = in_quotes(value),
                 .operation = "set Log" + what,
                 .reason = "there is no such " + what,
                 .advice = advice});
}

}  // namespace

LogControlObject::LogControlObject(sdbus::IConnection& connection, LogKnobs knobs, Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{log_control_path}),
      knobs_(std::move(knobs)),
      authority_(authority) {
    registerAdaptor();
    sd_bus_slot* slot = nullptr;
    const auto on_message = [](sd_bus_message* message, void* object, sd_bus_error*) noexcept -> int {
        try {
            return static_cast<LogControlObject*>(object)->take(message);
        } catch (...) {
            return -ENOMEM;
        }
    };
    const int added = ::sd_bus_add_filter(raw_bus(connection), &slot, on_message, this);
    if (added < 0) throw to_bus_error({.operation = "add_filter", .errnum = -added});
    filter_.reset(slot);
}

int LogControlObject::take(sd_bus_message* message) {
    const char* path = ::sd_bus_message_get_path(message);
    if (::sd_bus_message_is_method_call(message, nullptr, "Set") <= 0 || path == nullptr ||
        std::strcmp(path, log_control_path) != 0 || ::sd_bus_message_has_signature(message, "ssv") <= 0) {
        return 0;
    }
    const char* interface = nullptr;
    const char* property = nullptr;
    const char* text = nullptr;
    const bool is_read = ::sd_bus_message_read(message, "ss", &interface, &property) > 0 &&
                         std::strcmp(interface, INTERFACE_NAME) == 0 &&
                         ::sd_bus_message_read(message, "v", "s", &text) > 0;
    const bool is_level = is_read && std::strcmp(property, "LogLevel") == 0;
    const bool is_target = is_read && std::strcmp(property, "LogTarget") == 0;
    if (!is_level && !is_target) {
        // What else there is to be said of it, sd-bus says.
        return std::min(0, ::sd_bus_message_rewind(message, 1));
    }
    const std::string value{text, std::min(std::strlen(text), std::size_t{64})};  // the words are shorter
    const MessageRef call{::sd_bus_message_ref(message), &::sd_bus_message_unref};
    authority_.require_root(
        message, is_level ? "set LogLevel" : "set LogTarget",
        [call, is_level, value, alive = std::weak_ptr{alive_}](const Result<>& may) {
            const auto object = alive.lock();
            if (!may || !object) return send(call, may);
            LogKnobs& knobs = (*object)->knobs_;
            if (is_level) {
                return send(call,
                            knobs.set_level(value)
                                ? Result<>{}
                                : no_such("Level", value,
                                          "use emerg, alert, crit, err, warning, notice, info or debug"));
            }
            send(call, knobs.set_target(value)
                           ? Result<>{}
                           : no_such("Target", value, "use journal, console, null or auto"));
        });
    return 1;
}

// Never reached: take() is in front of them.
void LogControlObject::LogLevel(const std::string& value) {
    throw to_bus_error(no_such("Level", value, {}).error());
}

void LogControlObject::LogTarget(const std::string& value) {
    throw to_bus_error(no_such("Target", value, {}).error());
}

}  // namespace cxlmemd::bus
