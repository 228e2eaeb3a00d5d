// SPDX-License-Identifier: LGPL-2.1-or-later
// UUIDs as facts and rules carry them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cxlmemd {

// In lower case; nullopt if it is not a UUID.
[[nodiscard]] std::optional<std::string> uuid_from(std::string_view text);

}  // namespace cxlmemd
