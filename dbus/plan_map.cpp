#include "dbus/plan_map.h"

namespace cxlmemd::bus {

VariantMap to_map(const PlanEntry& entry) {
    VariantMap out{
        {"action", sdbus::Variant{entry.action}}, {"zone", sdbus::Variant{entry.zone}},
        {"blocks", sdbus::Variant{entry.blocks}}, {"bytes", sdbus::Variant{entry.bytes}},
        {"rule", sdbus::Variant{entry.rule}},     {"file", sdbus::Variant{entry.file}},
        {"line", sdbus::Variant{entry.line}},     {"reason", sdbus::Variant{entry.reason}},
    };
    if (!entry.mode.empty()) out.emplace("mode", sdbus::Variant{entry.mode});
    return out;
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
        rejected.emplace_back(r.rule, r.place.file, r.place.line, r.why.key, r.why.want, r.why.seen);
    }
    out.emplace("rejected", sdbus::Variant{rejected});
    out.emplace("obstacles", sdbus::Variant{explanation.obstacles});
    return out;
}

}  // namespace cxlmemd::bus
