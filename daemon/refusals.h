// Refusals that several requests have in common.
#pragma once

#include <string>

#include "policy/error.h"

namespace cxlmemd {

// The daemon was started to observe.
[[nodiscard]] Error only_watching(const std::string& object, const std::string& operation);

}  // namespace cxlmemd
