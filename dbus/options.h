// SPDX-License-Identifier: LGPL-2.1-or-later
// The a{sv} options that every method ends with: known keys of the right type, or an error.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "policy/error.h"

namespace cxlmemd::bus {

using VariantMap = std::map<std::string, sdbus::Variant>;

// For methods without options.
[[nodiscard]] Result<> no_options(const VariantMap& options);

// For methods that start a job; `allowed` are the keys this method takes.
[[nodiscard]] Result<OperationOptions> operation_options(const VariantMap& options,
                                                         const std::vector<std::string>& allowed);

}  // namespace cxlmemd::bus
