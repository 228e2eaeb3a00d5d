// SPDX-License-Identifier: LGPL-2.1-or-later
// The effective rule list as an administrator reads it: which rules, from which files, in which order.
// Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"

namespace cxlmemd {

// A policy file that was found, and whether its rules count.
struct PolicyFile {
    std::string path;
    // The file of the same name in an earlier folder that counts instead of it; "/dev/null" if it is a
    // link to that; empty if its rules count.
    std::string masked_by;

    bool operator==(const PolicyFile&) const = default;
};

// One rule, its match and what it does each on one line.
struct ListedRule {
    Place place;
    std::string name;
    std::string match;   // "kind = cxl-ram or hmem, size >= 16GiB"; "every device"
    std::string action;  // "system-ram, zone movable, amount 75%"

    bool operator==(const ListedRule&) const = default;
};

// In the order in which they are tried.
[[nodiscard]] std::vector<ListedRule> listing(const Policy& policy);

// Two lines a rule: number, name, file:line; then "MATCH: ACTION". At the end the
// files that are masked, and by which. Control characters as \xNN.
[[nodiscard]] std::string listing_text(const std::vector<ListedRule>& rules,
                                       const std::vector<PolicyFile>& files);

}  // namespace cxlmemd
