// SPDX-License-Identifier: LGPL-2.1-or-later
// What a policy does on many machines, as text for people. Pure; the document is cxlmemd --plan-on's
// (docs/fleet.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/text.h"

namespace cxlmemctl {

// Groups of machines with what each would do or what changes, then the tables that match nowhere.
[[nodiscard]] std::string fleet_view(const nlohmann::json& document, const Paint& paint);

// Machines that could not be used, each as "FILE:LINE:COLUMN: message"; not escaped.
[[nodiscard]] std::vector<std::string> fleet_errors(const nlohmann::json& document);

}  // namespace cxlmemctl
