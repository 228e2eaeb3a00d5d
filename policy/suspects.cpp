// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/suspects.h"

#include <fmt/format.h>

#include <algorithm>

namespace cxlmemd {

namespace {

// What the plan takes offline somebody has brought online; what it only brings online somebody took offline.
bool undoes_an_online(const DevicePlan& plan) {
    return std::ranges::any_of(plan.steps, [](const Step& step) { return step.kind == StepKind::offline; });
}

}  // namespace

std::string suspects(const Topology& topology, const DevicePlan& plan) {
    if (!undoes_an_online(plan)) {
        return "nothing on this machine is known to take memory offline by itself: a person, daxctl or "
               "another "
               "daemon";
    }
    std::string out;
    const auto add = [&](const std::string& who) { out += (out.empty() ? "" : ", or ") + who; };
    if (topology.auto_online != AutoOnline::offline) {
        add(fmt::format("the kernel itself (auto_online_blocks is '{}')", to_string(topology.auto_online)));
    }
    for (const Competitor& competitor : topology.competitors) {
        if (competitor.kind == CompetitorKind::crash_dump ||
            competitor.kind == CompetitorKind::block_by_block)
            continue;
        add(fmt::format("{} ({})", competitor.what, competitor.where));
    }
    if (out.empty())
        return "nothing on this machine is known to online memory by itself: a person, daxctl or another "
               "daemon";
    return out;
}

}  // namespace cxlmemd
