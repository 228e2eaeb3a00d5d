// SPDX-License-Identifier: LGPL-2.1-or-later
// Rules that can never decide, because an earlier one holds whenever they do.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "policy/policy.h"

namespace cxlmemd {

// True only if every device, on whatever machine, for which `later` holds is one for which `earlier`
// holds too. Sound, not complete: false where it cannot tell cheaply.
[[nodiscard]] bool covers(const Match& earlier, const Match& later);

// For each match the index of the first earlier one that covers it alone. nullopt entries of `matches`
// neither cover nor are covered. The work is bounded: after some tens of millions of comparisons, which
// honest policies do not come near to, the rest counts as not covered.
[[nodiscard]] std::vector<std::optional<std::size_t>> covered_by(
    const std::vector<std::optional<Match>>& matches);

}  // namespace cxlmemd
