// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "policy/compile.h"
#include "policy/measure.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::uint64_t week_usec = 7ULL * 24 * 3600 * 1'000'000;
// CXL 3.1 specification, HDM decoder control: the interleave ways that hardware has.
constexpr std::array<std::uint64_t, 8> cxl_ways{1, 2, 3, 4, 6, 8, 12, 16};

const Measure& measure_of(Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return size_measure;
        case Quantity::latency: return latency_measure;
        case Quantity::bandwidth: return bandwidth_measure;
        case Quantity::ways: return ways_measure;
    }
    return size_measure;
}

struct Operator {
    std::string_view sign;
    Comparison meaning;
};
// Longer signs first.
constexpr std::array operators{
    Operator{"<=", Comparison::less_equal}, Operator{">=", Comparison::greater_equal},
    Operator{"==", Comparison::equal},      Operator{"<", Comparison::less},
    Operator{">", Comparison::greater},     Operator{"=", Comparison::equal}};

std::string_view unit_of(Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return "B";
        case Quantity::latency: return "ns";
        case Quantity::bandwidth: return "MB/s";
        case Quantity::ways: return "";
    }
    return "";
}

std::string never_holds(std::string_view text, const Compare& compare, Quantity quantity) {
    const Interval range = possible(quantity);
    const std::string head = in_quotes(text) + " never holds: ";
    const bool too_low = compare.op == Comparison::less || compare.op == Comparison::less_equal ||
                         (compare.op == Comparison::equal && compare.number < range.low);
    if (too_low)
        return head +
               fmt::format("the {} is {}{} or more", to_string(quantity), range.low, unit_of(quantity));
    return head + fmt::format("the {} is {}{} or less", to_string(quantity), range.high, unit_of(quantity));
}

Parsed<Compare> checked(const Compare& compare, Quantity quantity, std::string_view text) {
    const bool odd_ways = quantity == Quantity::ways && compare.op == Comparison::equal &&
                          std::ranges::find(cxl_ways, compare.number) == cxl_ways.end();
    if (odd_ways) {
        return tl::unexpected{in_quotes(text) +
                              " never holds: CXL interleaves 1, 2, 3, 4, 6, 8, 12 or 16 ways"};
    }
    if (!interval_of(compare, quantity)) return tl::unexpected{never_holds(text, compare, quantity)};
    return compare;
}

std::optional<std::uint64_t> hex_with_prefix(std::string_view text) {
    if (!text.starts_with("0x") && !text.starts_with("0X")) return std::nullopt;
    return whole_number(text.substr(2), 16);
}

}  // namespace

Parsed<Bytes> parse_size(std::string_view text) {
    return parse_measure(text, size_measure).map([](std::uint64_t n) { return Bytes{n}; });
}

Parsed<std::uint64_t> parse_duration_usec(std::string_view text) {
    auto ns = parse_measure(text, time_measure);
    if (!ns) return ns;
    if (*ns % 1'000 != 0) {
        return tl::unexpected{in_quotes(text) +
                              " is not a whole number of microseconds, the shortest unit here"};
    }
    if (*ns / 1'000 > week_usec) {
        return tl::unexpected{in_quotes(text) + " is too long; a week, \"10080min\", is the limit"};
    }
    return *ns / 1'000;
}

Parsed<std::uint64_t> parse_serial(std::string_view text) {
    const std::string_view all = trim(text);
    if (const auto hex = hex_with_prefix(all)) return *hex;
    if (const auto decimal = whole_number(all)) return *decimal;
    const std::string no_serial = in_quotes(text) + " is not a serial number; ";
    if (!all.empty() && whole_number(all, 16)) {
        return tl::unexpected{no_serial + "did you mean '0x" + std::string{all} + "'?"};
    }
    const bool digits_only =
        !all.empty() && std::ranges::all_of(all.starts_with("0x") ? all.substr(2) : all,
                                            [](unsigned char c) { return std::isxdigit(c); });
    if (digits_only && all.size() > 2) return tl::unexpected{no_serial + "it has more than 64 bits"};
    return tl::unexpected{no_serial + "write it in decimal or as 0x and hex digits"};
}

Parsed<Compare> parse_compare(std::string_view text, Quantity quantity) {
    std::string_view number = trim(text);
    Compare out;
    for (const Operator& op : operators) {
        if (number.starts_with(op.sign)) {
            out.op = op.meaning;
            number.remove_prefix(op.sign.size());
            break;
        }
    }
    number = trim(number);
    if (number.starts_with('!') || number.starts_with('<') || number.starts_with('>') ||
        number.starts_with('=')) {
        return tl::unexpected{in_quotes(text) + " is not a comparison; the operators are <, <=, =, >= and >"};
    }
    const auto value = parse_measure(number, measure_of(quantity));
    if (!value) return tl::unexpected{value.error()};
    out.number = *value;
    return checked(out, quantity, text);
}

Parsed<Compare> compare_equal(std::int64_t number, Quantity quantity) {
    if (number < 0) {
        return tl::unexpected{
            fmt::format("{} is not a {}; it cannot be negative", number, to_string(quantity))};
    }
    return checked(Compare{Comparison::equal, static_cast<std::uint64_t>(number)}, quantity,
                   std::to_string(number));
}

Parsed<Amount> parse_amount(std::string_view text) {
    const std::string_view all = trim(text);
    if (all == "all") return Amount{AmountAll{}};
    if (all == "none") return Amount{AmountNone{}};
    if (all.ends_with('%')) {
        const auto percent = whole_number(trim(all.substr(0, all.size() - 1)));
        if (percent && *percent <= 100) return Amount{AmountPercent{static_cast<std::uint32_t>(*percent)}};
        return tl::unexpected{in_quotes(text) +
                              " is not an amount; percentages are whole numbers from 0% to 100%"};
    }
    // "75" might be per cent, blocks or GiB: nobody should have to guess.
    if (whole_number(all)) {
        return tl::unexpected{in_quotes(text) + " has no unit; write " + in_quotes(std::string{all} + "%") +
                              " or " + in_quotes(std::string{all} + "GiB")};
    }
    if (all.empty() || all.front() < '0' || all.front() > '9') {
        return tl::unexpected{in_quotes(text) + R"( is not an amount: "all", "none", "75%" or "96GiB")"};
    }
    return parse_size(text).map([](Bytes bytes) { return Amount{AmountBytes{bytes}}; });
}

Parsed<std::pair<PhysAddr, PhysAddr>> parse_phys_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const std::string_view first_text = trim(text.substr(0, dash));
    const std::string_view last_text =
        dash == std::string_view::npos ? std::string_view{} : trim(text.substr(dash + 1));
    const auto first = hex_with_prefix(first_text);
    const auto last = hex_with_prefix(last_text);
    if (!first || !last) {
        // As /proc/iomem prints it. Never taken as it is: "590000000" could be decimal.
        if (whole_number(first_text, 16) && whole_number(last_text, 16)) {
            return tl::unexpected{fmt::format("{} is not an address range; did you mean '0x{}-0x{}'?",
                                              in_quotes(text), first_text, last_text)};
        }
        return tl::unexpected{in_quotes(text) +
                              " is not an address range; write first and last byte, such as "
                              "\"0x590000000-0x98fffffff\""};
    }
    if (*first > *last) return tl::unexpected{in_quotes(text) + " ends before it begins"};
    return std::pair{PhysAddr{*first}, PhysAddr{*last}};
}

Parsed<Glob> parse_glob(std::string_view text) {
    if (text.empty())
        return tl::unexpected{std::string{"an empty pattern matches nothing; \"*\" matches all"}};
    if (text.size() > max_name_bytes) {
        return tl::unexpected{
            fmt::format("this pattern is {} bytes long; {} is the limit", text.size(), max_name_bytes)};
    }
    if (has_control_character(text)) {
        return tl::unexpected{in_quotes(text) + " has a control character in it; no device name has"};
    }
    return Glob{std::string{text}};
}

}  // namespace cxlmemd
