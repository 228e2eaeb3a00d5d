// SPDX-License-Identifier: LGPL-2.1-or-later
// Refusals that several requests have in common.
#pragma once

#include <string>

#include "policy/error.h"

namespace cxlmemd {

// The daemon was started to observe.
[[nodiscard]] Error only_watching(const std::string& object, const std::string& operation);

// Nothing of that noun has the name.
[[nodiscard]] Error not_found(const std::string& name, const std::string& operation, const std::string& noun);

}  // namespace cxlmemd
