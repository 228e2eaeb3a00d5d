// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace cxlmemctl {
namespace {

struct Unit {
    std::string_view name;
    double factor;
};

constexpr double kib = 1024.0;
constexpr std::array<Unit, 7> size_units = {{{"", 1},
                                             {"B", 1},
                                             {"KiB", kib},
                                             {"MiB", kib* kib},
                                             {"GiB", kib* kib* kib},
                                             {"TiB", kib* kib* kib* kib},
                                             {"PiB", kib* kib* kib* kib* kib}}};
constexpr std::array<Unit, 6> time_units = {
    {{"", 1e6}, {"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}}};

struct Quantity {
    double number = 0;
    std::string_view unit;
};

// A decimal number without sign or exponent, then the rest without blanks around it.
std::optional<Quantity> split(std::string_view text) {
    const std::size_t digits = text.find_first_not_of("0123456789.");
    const std::string_view number = text.substr(0, digits);
    std::string_view unit = digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    Quantity quantity{0, unit};
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), quantity.number,
                                              std::chars_format::fixed);
    if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    return quantity;
}

template <std::size_t N>
std::optional<double> scaled(std::string_view text, const std::array<Unit, N>& units) {
    const auto quantity = split(text);
    if (!quantity) return std::nullopt;
    for (const Unit& unit : units) {
        if (unit.name == quantity->unit) return quantity->number * unit.factor;
    }
    return std::nullopt;
}

bool fits_u64(double value) {
    return value < std::ldexp(1.0, 64);
}

// Whole numbers of bytes keep all their 64 bits, which a double does not.
std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
    if (const auto exact = whole_number(text)) return *exact;
    const auto bytes = scaled(text, size_units);
    if (!bytes || !fits_u64(*bytes)) {
        return fail(Exit::usage, fmt::format("\"{}\" is not a size; write bytes or KiB, MiB, GiB, TiB, as in "
                                             "96GiB",
                                             text));
    }
    return static_cast<std::uint64_t>(*bytes);
}

Result<Amount> parse_amount(std::string_view text) {
    if (text == "all") return Amount{AllMemory{}};
    if (text.ends_with('%')) {
        const auto quantity = split(text.substr(0, text.size() - 1));
        if (!quantity || !quantity->unit.empty() || quantity->number <= 0 || quantity->number > 100) {
            return fail(Exit::usage, fmt::format("\"{}\" is not a percentage above 0% and up to 100%", text));
        }
        return Amount{Percent{quantity->number}};
    }
    const auto bytes = parse_bytes(text);
    if (!bytes) return tl::unexpected(bytes.error());
    if (*bytes == 0) return fail(Exit::usage, "an amount of 0 is nothing to bring online; see offline");
    return Amount{ByteCount{*bytes}};
}

Result<std::uint64_t> parse_usec(std::string_view text) {
    const auto usec = scaled(text, time_units);
    if (!usec || !fits_u64(*usec) || *usec < 1) {
        return fail(
            Exit::usage,
            fmt::format("\"{}\" is not a time; write seconds or ns, us, ms, s, min, as in 90s", text));
    }
    return static_cast<std::uint64_t>(std::llround(*usec));
}

std::uint64_t part_of(Percent percent, std::uint64_t whole, std::uint64_t block) {
    const auto part =
        static_cast<std::uint64_t>(std::floor(static_cast<long double>(whole) * percent.value / 100));
    return block == 0 ? part : part / block * block;
}

std::string format_bytes(std::uint64_t bytes) {
    std::size_t unit = 1;
    double value = static_cast<double>(bytes);
    while (value >= kib && unit + 1 < size_units.size()) {
        value /= kib;
        ++unit;
    }
    std::string digits = fmt::format("{:.2f}", value);
    while (digits.ends_with('0')) digits.pop_back();
    if (digits.ends_with('.')) digits.pop_back();
    return fmt::format("{} {}", digits, size_units[unit].name);
}

std::string format_hex(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

}  // namespace cxlmemctl
