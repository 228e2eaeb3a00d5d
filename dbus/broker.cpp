// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/broker.h"

#include <utility>

namespace cxlmemd::bus {

namespace {

// DBUS_NAME_FLAG_DO_NOT_QUEUE, and what RequestName answers (D-Bus specification).
constexpr std::uint32_t do_not_queue = 4;
constexpr std::uint32_t is_owner = 1;
constexpr std::uint32_t was_owner = 4;

Result<> refused(const std::string& name, ErrorCode code, std::string reason) {
    return fail(
        Error{.code = code, .object = name, .operation = "take the bus name", .reason = std::move(reason)});
}

Result<> refused(const std::string& name, const sdbus::Error& error) {
    const bool denied = error.getName() == "org.freedesktop.DBus.Error.AccessDenied";
    return refused(name, denied ? ErrorCode::not_authorized : ErrorCode::failed, error.getMessage());
}

}  // namespace

Broker::Broker(sdbus::IConnection& connection)
    : proxy_(make_proxy(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus")) {}

void Broker::request_name(const std::string& name, std::function<void(Result<>)> answered) {
    try {
        auto call = make_call(*proxy_, "org.freedesktop.DBus", "RequestName");
        call << name << do_not_queue;
        call_async(*proxy_, call, [name, answered](sdbus::MethodReply& reply, const sdbus::Error* error) {
            if (error != nullptr) return answered(refused(name, *error));
            std::uint32_t outcome = 0;
            try {
                reply >> outcome;
            } catch (const sdbus::Error& wrong) {
                return answered(refused(name, wrong));
            }
            if (outcome == is_owner || outcome == was_owner) return answered({});
            answered(refused(name, ErrorCode::busy, "another process has it (File exists)"));
        });
    } catch (const sdbus::Error& error) {
        answered(refused(name, error));
    }
}

}  // namespace cxlmemd::bus
