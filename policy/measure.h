// SPDX-License-Identifier: LGPL-2.1-or-later
// Numbers with units.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "policy/values.h"

namespace cxlmemd {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// One kind of measure: its units, and how messages speak of it.
struct Measure {
    std::string_view noun;     // "size"
    std::string_view example;  // "16GiB"
    std::span<const Unit> units;
    std::optional<std::uint64_t> bare_factor;  // of a number without unit; nullopt: a unit is a must
};

extern const Measure size_measure;       // bytes
extern const Measure time_measure;       // ns, no bare numbers
extern const Measure latency_measure;    // ns
extern const Measure bandwidth_measure;  // MB/s
extern const Measure ways_measure;

[[nodiscard]] std::string_view trim(std::string_view text);

// A whole number and one of the measure's units, blanks between and around them allowed.
[[nodiscard]] Parsed<std::uint64_t> parse_measure(std::string_view text, const Measure& measure);

// All of the text as a number; nullopt if it is none or does not fit.
[[nodiscard]] std::optional<std::uint64_t> whole_number(std::string_view text, int base = 10);

}  // namespace cxlmemd
