// SPDX-License-Identifier: LGPL-2.1-or-later
// What a job works on: a dax device; or a region or a memdev, and with it every dax device that stands on it
// at that moment. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/plan_removal.h"
#include "policy/topology.h"

namespace cxlmemd {

using JobTarget = std::variant<DaxIdentity, RegionIdentity, MemdevIdentity>;

[[nodiscard]] const std::string& name_of(const JobTarget& target);  // "dax0.0", "region0", "mem0"
[[nodiscard]] std::string_view noun_of(const JobTarget& target);    // "device", "region", "memdev"
[[nodiscard]] bool is_removal(const JobTarget& target);             // of a region or a memdev
[[nodiscard]] bool is_there(const Topology& topology, const JobTarget& target);

// In the topology's order; none if the target has gone.
[[nodiscard]] std::vector<const DaxDevice*> devices_of(const Topology& topology, const JobTarget& target);

// True if a job for the target works on the dax device of that name.
[[nodiscard]] bool touches(const Topology& topology, const JobTarget& target, std::string_view dax);
// True if jobs for both would get in each other's way.
[[nodiscard]] bool overlap(const Topology& topology, const JobTarget& a, const JobTarget& b);

// The steps that are left to do. A dax device is brought to the goal; a region goes, a memdev is emptied,
// whatever the goal says. No steps and nothing in the way: it is done.
[[nodiscard]] JointPlan plan_job(const Topology& topology, const JobTarget& target, const Goal& goal);

}  // namespace cxlmemd
