// SPDX-License-Identifier: LGPL-2.1-or-later
// The flight recorder's lines that are no events, as sentences. Pure, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "daemon/incident_lines.h"

namespace cxlmemd::incident {

struct Telling {
    std::function<std::uint64_t(std::uint64_t)> block;  // a memory block's number, as it is told
    // A sentence may have an address, a serial number, a file's name or a text of the policy in it.
    bool reasons = true;
};

// One line without a newline.
[[nodiscard]] std::string told(const Line& line, const Telling& telling);

}  // namespace cxlmemd::incident
