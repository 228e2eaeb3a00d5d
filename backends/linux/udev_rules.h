// SPDX-License-Identifier: LGPL-2.1-or-later
// udev's rule files as udev reads them (udev(7), src/udev/udev-rules.c), and what they do to memory blocks.
// Pure, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

enum class UdevOperator : std::uint8_t { match, no_match, assign, add, remove, assign_final };

// `ATTR{state}="online"`: key ATTR, attribute state.
struct UdevToken {
    std::string key;
    std::string attribute;  // empty if there are no braces
    UdevOperator op = UdevOperator::match;
    std::string value;

    [[nodiscard]] bool compares() const { return op == UdevOperator::match || op == UdevOperator::no_match; }
};

struct UdevLine {
    std::size_t number = 0;  // from 1: where it begins
    std::vector<UdevToken> tokens;
};

// Comments and lines that udev would refuse are left out; a backslash at the end goes on with the next line.
[[nodiscard]] std::vector<UdevLine> udev_lines(std::string_view text);

// What the lines of one file do when a memory block appears, goes online or goes offline. `path` is for
// Competitor::where.
[[nodiscard]] std::vector<Competitor> competitors_in_udev_rules(const std::string& path,
                                                                std::string_view text);

}  // namespace cxlmemd
