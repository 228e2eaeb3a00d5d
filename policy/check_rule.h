// SPDX-License-Identifier: LGPL-2.1-or-later
// [[rule]] -> Rule.
#pragma once

#include "policy/policy.h"
#include "policy/report.h"
#include "policy/syntax.h"

namespace cxlmemd {

struct CheckedRule {
    Rule rule;
    syntax::Position name_at;  // where its name stands; the rule's header if it has none
    // False if anything of it was reported as an error: what was read is then incomplete, and must not
    // be compared with other rules.
    bool sound = false;
};

// Defaults: mode system-ram, zone movable, amount all, as struct Goal says; but a rule must say
// something of them, for "bring it all online" is too much to follow from silence.
[[nodiscard]] CheckedRule check_rule(Report& report, const syntax::Table& table, syntax::Position at);

}  // namespace cxlmemd
