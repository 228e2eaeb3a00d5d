// SPDX-License-Identifier: LGPL-2.1-or-later
// The one guard around every method handler: whatever happens inside becomes a D-Bus error, nothing
// unwinds through sd-bus (sdbus-c++ 1.2 catches only its own Error, and the connection is dead after
// anything else).
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "dbus/sdbus_compat.h"
#include "policy/error.h"

namespace cxlmemd::bus {

// "org.cxlmemd1.Error.Gone" and the error's text, fit for a terminal: control characters as \xNN, cut after
// max_error_bytes. (A caller's own words are shorter: whoever writes the error quotes them with in_quotes().)
inline constexpr std::size_t max_error_bytes = 4096;
[[nodiscard]] sdbus::Error to_bus_error(const Error& error);
[[nodiscard]] std::string bus_error_name(ErrorCode code);

// Runs a handler. `handler` returns its value, or throws to_bus_error(...) through unwrap().
template <class Handler>
auto guarded(Handler&& handler) -> decltype(handler()) {
    try {
        return std::forward<Handler>(handler)();
    } catch (const sdbus::Error&) {
        throw;
    } catch (const std::exception& e) {
        throw to_bus_error(
            Error{.code = ErrorCode::failed, .reason = std::string{"internal error: "} + e.what()});
    } catch (...) {
        throw to_bus_error(Error{.code = ErrorCode::failed, .reason = "internal error"});
    }
}

template <class T>
T unwrap(Result<T> result) {
    if (!result) throw to_bus_error(result.error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace cxlmemd::bus
