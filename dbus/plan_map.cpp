// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/plan_map.h"

#include "policy/text.h"

namespace cxlmemd::bus {

VariantMap to_map(const PlanEntry& entry) {
    VariantMap out{
        {"action", sdbus::Variant{entry.action}}, {"zone", sdbus::Variant{entry.zone}},
        {"blocks", sdbus::Variant{entry.blocks}}, {"bytes", sdbus::Variant{entry.bytes}},
        {"rule", sdbus::Variant{entry.rule}},     {"file", sdbus::Variant{visible(entry.file)}},
        {"line", sdbus::Variant{entry.line}},     {"reason", sdbus::Variant{visible(entry.reason)}},
    };
    if (!entry.mode.empty()) out.emplace("mode", sdbus::Variant{entry.mode});
    return out;
}

std::size_t size_of(const PlanEntry& entry) {
    return 256 + entry.dax.size() + entry.rule.size() + entry.file.size() + entry.reason.size();
}

VariantMap to_map(const Explanation& explanation) {
    VariantMap out = to_map(explanation.decision);
    out.emplace("verdict", sdbus::Variant{explanation.verdict});

    std::vector<VariantMap> steps;
    for (const PlanEntry& step : explanation.steps) steps.push_back(to_map(step));
    out.emplace("steps", sdbus::Variant{steps});

    using Rejected =
        sdbus::Struct<std::string, std::string, std::uint32_t, std::string, std::string, std::string>;
    std::vector<Rejected> rejected;
    for (const RejectedRule& r : explanation.rejected) {
        rejected.emplace_back(r.rule, visible(r.place.file), r.place.line, r.why.key, visible(r.why.want),
                              visible(r.why.seen));
    }
    out.emplace("rejected", sdbus::Variant{rejected});
    std::vector<std::string> obstacles;
    for (const std::string& obstacle : explanation.obstacles) obstacles.push_back(visible(obstacle));
    out.emplace("obstacles", sdbus::Variant{obstacles});
    return out;
}

}  // namespace cxlmemd::bus
