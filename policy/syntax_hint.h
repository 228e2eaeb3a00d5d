// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes the TOML parser's messages say what to write instead.
#pragma once

#include <string>
#include <string_view>

#include "policy/syntax.h"

namespace cxlmemd::syntax {

// `description` is what toml++ says about the mistake at `at` in `text`.
[[nodiscard]] std::string explain_mistake(std::string_view text, Position at, std::string_view description);

}  // namespace cxlmemd::syntax
