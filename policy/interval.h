// SPDX-License-Identifier: LGPL-2.1-or-later
// What a comparison such as ">= 16GiB" holds for, as a range of numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace cxlmemd {

// Both ends belong to it.
struct Interval {
    std::uint64_t low = 0;
    std::uint64_t high = 0;

    bool operator==(const Interval&) const = default;
};

// The facts that can be compared. Sizes are bytes, latencies ns, bandwidths MB/s.
enum class Quantity : std::uint8_t { size, latency, bandwidth, ways };

[[nodiscard]] std::string_view to_string(Quantity quantity);  // "size", "latency", ...

// The values that the fact can have at all where it is known: a size is never 0, latency and bandwidth
// are 32 bits in the kernel (drivers/base/node.c) and 0 means unknown, CXL interleaves 1 to 16 ways.
[[nodiscard]] Interval possible(Quantity quantity);

// The possible values for which the comparison holds; nullopt if there are none.
[[nodiscard]] std::optional<Interval> interval_of(const Compare& compare, Quantity quantity);

// Sorted, overlapping and adjoining ones joined.
[[nodiscard]] std::vector<Interval> merged(std::vector<Interval> intervals);

// True if every number of `inner` is in `outer`, which is merged().
[[nodiscard]] bool covers(const std::vector<Interval>& outer, const Interval& inner);

}  // namespace cxlmemd
