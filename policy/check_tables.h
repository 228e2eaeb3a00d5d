// SPDX-License-Identifier: LGPL-2.1-or-later
// [[node]] -> NodeTuning, [[region]] -> RegionWish.
#pragma once

#include "policy/policy.h"
#include "policy/report.h"
#include "policy/syntax.h"

namespace cxlmemd {

[[nodiscard]] NodeTuning check_node(Report& report, const syntax::Table& table, syntax::Position at);

struct CheckedRegion {
    RegionWish region;
    syntax::Position name_at;
};
[[nodiscard]] CheckedRegion check_region(Report& report, const syntax::Table& table, syntax::Position at);

}  // namespace cxlmemd
