// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <vector>

#include "policy/suggest.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::array size_units{Unit{"B", 1}, Unit{"KiB", kib}, Unit{"MiB", kib* kib},
                                Unit{"GiB", kib* kib* kib}, Unit{"TiB", kib* kib* kib* kib}};
constexpr std::array time_units{Unit{"ns", 1}, Unit{"us", 1'000}, Unit{"ms", 1'000'000},
                                Unit{"s", 1'000'000'000}, Unit{"min", 60'000'000'000}};
constexpr std::array bandwidth_units{Unit{"MB/s", 1}, Unit{"GB/s", 1'000}};

// What people write elsewhere for units that we spell in one way only.
struct Alias {
    std::string_view written;
    std::string_view meant;
};
constexpr std::array aliases{
    Alias{"K", "KiB"},     Alias{"k", "KiB"},      Alias{"KB", "KiB"},      Alias{"kB", "KiB"},
    Alias{"M", "MiB"},     Alias{"m", "min"},      Alias{"MB", "MiB"},      Alias{"G", "GiB"},
    Alias{"g", "GiB"},     Alias{"GB", "GiB"},     Alias{"T", "TiB"},       Alias{"t", "TiB"},
    Alias{"TB", "TiB"},    Alias{"sec", "s"},      Alias{"secs", "s"},      Alias{"second", "s"},
    Alias{"seconds", "s"}, Alias{"minute", "min"}, Alias{"minutes", "min"}, Alias{"usec", "us"},
    Alias{"msec", "ms"},   Alias{"nsec", "ns"},    Alias{"MB", "MB/s"},     Alias{"MBps", "MB/s"},
    Alias{"GB", "GB/s"},   Alias{"GBps", "GB/s"},  Alias{"MiB/s", "MB/s"},  Alias{"GiB/s", "GB/s"},
    Alias{"m", "MiB"}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

const Unit* find_unit(std::span<const Unit> units, std::string_view name) {
    const auto it = std::ranges::find(units, name, &Unit::name);
    return it == units.end() ? nullptr : &*it;
}

std::vector<std::string_view> names_of(std::span<const Unit> units) {
    std::vector<std::string_view> out;
    for (const Unit& unit : units) out.push_back(unit.name);
    return out;
}

std::optional<std::string_view> meant_unit(std::string_view written, const Measure& measure) {
    for (const Alias& alias : aliases) {
        if (alias.written == written && find_unit(measure.units, alias.meant) != nullptr) return alias.meant;
    }
    return nearest(written, names_of(measure.units));
}

std::string no_such_unit(std::string_view text, std::string_view digits, std::string_view unit,
                         const Measure& measure) {
    const auto names = names_of(measure.units);
    const std::string head = in_quotes(text) + " is not a " + std::string{measure.noun};
    if (names.empty()) return head + "; write a whole number, such as " + std::string{measure.example};
    if (const auto meant = meant_unit(unit, measure)) {
        return head + "; did you mean '" + std::string{digits} + std::string{*meant} + "'?";
    }
    return head + "; the units are " + one_of(names) + ", as in \"" + std::string{measure.example} + "\"";
}

std::string no_number(std::string_view text, const Measure& measure) {
    return in_quotes(text) + " is not a " + std::string{measure.noun} + "; write a whole number" +
           (measure.units.empty() ? ", such as " : " and a unit, such as ") + "\"" +
           std::string{measure.example} + "\"";
}

}  // namespace

const Measure size_measure{"size", "16GiB", size_units, 1};
const Measure time_measure{"time", "60s", time_units, std::nullopt};
const Measure latency_measure{"latency", "400ns", time_units, 1};
const Measure bandwidth_measure{"bandwidth", "16GB/s", bandwidth_units, 1};
const Measure ways_measure{"number of interleave ways", "2", {}, 1};

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<std::uint64_t> whole_number(std::string_view text, int base) {
    std::uint64_t out = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return out;
}

Parsed<std::uint64_t> parse_measure(std::string_view text, const Measure& measure) {
    const std::string_view all = trim(text);
    const std::size_t digit_count =
        static_cast<std::size_t>(std::ranges::find_if_not(all, is_digit) - all.begin());
    const std::string_view digits = all.substr(0, digit_count);
    const std::string_view unit = trim(all.substr(digit_count));
    if (digits.empty()) return tl::unexpected{no_number(text, measure)};
    if (unit.starts_with('.') || unit.starts_with(',')) {
        return tl::unexpected{in_quotes(text) + " is not a whole number" +
                              (measure.units.empty() ? "" : "; take a smaller unit")};
    }

    std::optional<std::uint64_t> factor = measure.bare_factor;
    if (!unit.empty()) {
        if (unit.find_first_of(" 0123456789") != std::string_view::npos && !measure.units.empty()) {
            return tl::unexpected{in_quotes(text) + " is not a " + std::string{measure.noun} +
                                  "; write one number and one unit, such as \"" +
                                  std::string{measure.example} + "\""};
        }
        const Unit* known = find_unit(measure.units, unit);
        if (known == nullptr) return tl::unexpected{no_such_unit(text, digits, unit, measure)};
        factor = known->factor;
    }
    if (!factor) {
        return tl::unexpected{in_quotes(text) + " has no unit; write " + one_of(names_of(measure.units)) +
                              " behind it, such as \"" + std::string{measure.example} + "\""};
    }
    const auto number = whole_number(digits);
    if (!number || *number > std::numeric_limits<std::uint64_t>::max() / *factor) {
        return tl::unexpected{in_quotes(text) + " is too large: it does not fit into 64 bits"};
    }
    return *number * *factor;
}

}  // namespace cxlmemd
