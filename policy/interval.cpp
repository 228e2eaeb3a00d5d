// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/interval.h"

#include <algorithm>
#include <limits>

namespace cxlmemd {

std::string_view to_string(Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return "size";
        case Quantity::latency: return "latency";
        case Quantity::bandwidth: return "bandwidth";
        case Quantity::ways: return "number of interleave ways";
    }
    return "number";
}

Interval possible(Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return {1, std::numeric_limits<std::uint64_t>::max()};
        case Quantity::latency:
        case Quantity::bandwidth: return {1, std::numeric_limits<std::uint32_t>::max()};
        case Quantity::ways: return {1, 16};
    }
    return {0, std::numeric_limits<std::uint64_t>::max()};
}

std::optional<Interval> interval_of(const Compare& compare, Quantity quantity) {
    Interval out = possible(quantity);
    const std::uint64_t n = compare.number;
    switch (compare.op) {
        case Comparison::equal:
            if (n < out.low || n > out.high) return std::nullopt;
            return Interval{n, n};
        case Comparison::less:
            if (n <= out.low) return std::nullopt;
            out.high = std::min(out.high, n - 1);
            return out;
        case Comparison::less_equal:
            if (n < out.low) return std::nullopt;
            out.high = std::min(out.high, n);
            return out;
        case Comparison::greater:
            if (n >= out.high) return std::nullopt;
            out.low = std::max(out.low, n + 1);
            return out;
        case Comparison::greater_equal:
            if (n > out.high) return std::nullopt;
            out.low = std::max(out.low, n);
            return out;
    }
    return std::nullopt;
}

std::vector<Interval> merged(std::vector<Interval> intervals) {
    std::ranges::sort(intervals, {}, &Interval::low);
    std::vector<Interval> out;
    for (const Interval& next : intervals) {
        const bool joins = !out.empty() && (next.low <= out.back().high || next.low - 1 == out.back().high);
        if (joins) {
            out.back().high = std::max(out.back().high, next.high);
        } else {
            out.push_back(next);
        }
    }
    return out;
}

bool covers(const std::vector<Interval>& outer, const Interval& inner) {
    const auto after = std::ranges::upper_bound(outer, inner.low, {}, &Interval::low);
    return after != outer.begin() && std::prev(after)->high >= inner.high;
}

}  // namespace cxlmemd
