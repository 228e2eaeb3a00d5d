// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/guard.h"

#include "dbus/names.h"
#include "policy/text.h"

namespace cxlmemd::bus {

std::string bus_error_name(ErrorCode code) {
    return std::string{error_prefix} + error_name(code);
}

sdbus::Error to_bus_error(const Error& error) {
    return make_error(bus_error_name(error.code), visible_part(error.text(), max_error_bytes));
}

}  // namespace cxlmemd::bus
