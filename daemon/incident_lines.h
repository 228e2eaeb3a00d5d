// SPDX-License-Identifier: LGPL-2.1-or-later
// The flight recorder's lines as they are read again. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/flight_ring.h"

namespace cxlmemd::incident {

struct Line {
    std::uint64_t usec = 0;  // CLOCK_REALTIME
    std::uint64_t m = 0;     // CLOCK_MONOTONIC
    std::string what;
    nlohmann::json all;
};

// Empty, and 0, where there is none of that type.
[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* key);
[[nodiscard]] std::uint64_t number_of(const nlohmann::json& object, const char* key);

// A line that a crash cut off is one that says so: "damaged".
[[nodiscard]] std::vector<Line> parsed(const FlightLines& lines);

// The machine that an incident since then begins with; its lines follow it.
[[nodiscard]] std::optional<std::size_t> beginning(const std::vector<Line>& lines, std::uint64_t since_usec);

}  // namespace cxlmemd::incident
