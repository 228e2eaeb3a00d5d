// SPDX-License-Identifier: LGPL-2.1-or-later
// Plan entries and explanations as the a{sv} of the API.
#pragma once

#include <cstddef>

#include "dbus/options.h"
#include "dbus/requests.h"

namespace cxlmemd::bus {

// action s, zone s, blocks u, bytes t, rule s, file s, line u, reason s
[[nodiscard]] VariantMap to_map(const PlanEntry& entry);

// About what that takes in a message, in bytes.
[[nodiscard]] std::size_t size_of(const PlanEntry& entry);

// The decision's keys, and verdict s, steps aa{sv}, rejected a(ssusss), obstacles as.
[[nodiscard]] VariantMap to_map(const Explanation& explanation);

}  // namespace cxlmemd::bus
