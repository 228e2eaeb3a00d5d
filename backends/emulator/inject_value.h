// SPDX-License-Identifier: LGPL-2.1-or-later
// The details of an event as they come in: from the bus, or from a step of a scenario file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace cxlmemd {

using InjectValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;
using InjectDetails = std::map<std::string, InjectValue>;

}  // namespace cxlmemd
