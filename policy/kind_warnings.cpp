// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/kind_warnings.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/match.h"

namespace cxlmemd {

namespace {

bool names(const Rule& rule, DaxKind kind) {
    return std::ranges::find(rule.match.kind, kind) != rule.match.kind.end();
}

DaxKind other_than(DaxKind kind) {
    return kind == DaxKind::hmem ? DaxKind::cxl_ram : DaxKind::hmem;
}

}  // namespace

std::vector<SeenKind> seen_kinds(const Topology& topology) {
    std::vector<SeenKind> out;
    for (const DaxDevice& device : topology.dax_devices) {
        const bool either = device.kind == DaxKind::hmem || device.kind == DaxKind::cxl_ram;
        if (either && facts_of(topology, device).backed_by == Backing::cxl)
            out.push_back({device.id.name, device.kind});
    }
    return out;
}

std::vector<Problem> kind_warnings(const Policy& policy, const std::vector<SeenKind>& seen) {
    std::vector<Problem> out;
    for (const DaxKind here : {DaxKind::hmem, DaxKind::cxl_ram}) {
        const auto device = std::ranges::find(seen, here, &SeenKind::kind);
        // A rule without a kind takes both.
        const bool is_meant = std::ranges::any_of(
            policy.rules, [&](const Rule& rule) { return rule.match.kind.empty() || names(rule, here); });
        if (device == seen.end() || is_meant) continue;
        for (const Rule& rule : policy.rules) {
            if (!names(rule, other_than(here))) continue;
            out.push_back(
                {rule.place, Severity::warning,
                 fmt::format(
                     "no rule is about kind \"{}\", which {} is on this kernel: memory in a CXL window "
                     "is hmem to kernels before 7.1, and may be cxl-ram to newer ones; "
                     "backed_by = \"cxl\" takes both",
                     to_string(here), device->dax)});
        }
    }
    return out;
}

}  // namespace cxlmemd
