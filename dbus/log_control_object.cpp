#include "dbus/log_control_object.h"

#include <utility>

#include "dbus/authorize.h"
#include "dbus/guard.h"
#include "dbus/names.h"
#include "policy/text.h"

namespace cxlmemd::bus {

LogControlObject::LogControlObject(sdbus::IConnection& connection, LogKnobs knobs)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{log_control_path}), knobs_(std::move(knobs)) {
    registerAdaptor();
}

void LogControlObject::LogLevel(const std::string& value) {
    guarded([&] {
        unwrap(require_root(current_message(getObject()), "set LogLevel"));
        if (knobs_.set_level(value)) return;
        throw to_bus_error({.code = ErrorCode::invalid_argument,
                            .object = in_quotes(value),
                            .operation = "set LogLevel",
                            .reason = "there is no such level",
                            .advice = "use emerg, alert, crit, err, warning, notice, info or debug"});
    });
}

void LogControlObject::LogTarget(const std::string& value) {
    guarded([&] {
        unwrap(require_root(current_message(getObject()), "set LogTarget"));
        if (knobs_.set_target(value)) return;
        throw to_bus_error({.code = ErrorCode::invalid_argument,
                            .object = in_quotes(value),
                            .operation = "set LogTarget",
                            .reason = "there is no such target",
                            .advice = "use journal, console, null or auto"});
    });
}

}  // namespace cxlmemd::bus
