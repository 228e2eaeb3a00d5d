// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/values.h"

#include <algorithm>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace cxlmemd::emulator {

std::optional<std::uint64_t> parse_number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, unsigned>, 4> units{
        {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
    unsigned shift = 0;
    for (const auto& [unit, bits] : units) {
        if (!text.ends_with(unit)) continue;
        shift = bits;
        text.remove_suffix(unit.size());
        while (text.ends_with(' ')) text.remove_suffix(1);
        break;
    }
    const std::optional<std::uint64_t> number = parse_number(text);
    if (!number || *number > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
    return *number << shift;
}

// Whole and decimal digits apart: doubles would make 0.3s 299999us.
std::optional<std::uint64_t> parse_duration_usec(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units{
        {{"us", 1}, {"ms", 1'000}, {"min", 60'000'000}, {"s", 1'000'000}}};
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    const auto unit = std::ranges::find_if(units, [&](const auto& u) { return text.ends_with(u.first); });
    if (unit == units.end()) return std::nullopt;
    text.remove_suffix(unit->first.size());
    while (text.ends_with(' ')) text.remove_suffix(1);
    const std::size_t point = std::min(text.find('.'), text.size());
    const std::optional<std::uint64_t> whole = parse_number(text.substr(0, point));
    if (!whole || *whole > most / unit->second) return std::nullopt;
    std::uint64_t usec = *whole * unit->second;
    std::uint64_t worth = unit->second;
    if (point + 1 == text.size()) return std::nullopt;  // "1.s"
    for (std::size_t i = point + 1; i < text.size(); ++i) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        worth /= 10;
        usec += std::min(most - usec, static_cast<std::uint64_t>(text[i] - '0') * worth);
    }
    return usec;
}

std::optional<double> parse_fraction(std::string_view text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

bool is_device_name(std::string_view text) {
    constexpr std::size_t name_max = 255;  // NAME_MAX of limits.h: sysfs shows each device as a folder
    const auto is_alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    if (text.empty() || text.size() > name_max || !is_alphanumeric(text.front())) return false;
    return std::ranges::all_of(text, [&](char c) {
        return is_alphanumeric(c) || std::string_view{"._:@+-"}.find(c) != std::string_view::npos;
    });
}

}  // namespace cxlmemd::emulator
