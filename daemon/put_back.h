// SPDX-License-Identifier: LGPL-2.1-or-later
// The way back: from what a job did to how it was. Pure.
#pragma once

#include <optional>
#include <string>

#include "daemon/job.h"
#include "policy/plan_removal.h"
#include "policy/topology.h"

namespace cxlmemd {

// The next step of the way back, in the reverse of the order in which things are done: the driver of a device
// (its blocks offline first, if it has any), then its blocks: offline what was, or what is in another zone,
// then online, zone by zone. What was unplugged is plugged by its state first. Empty if everything is as it
// was, as far as `topology` shows, or cannot be put back: blocks and drivers that are given up are left out.
// `failures` nullptr: nothing is given up.
[[nodiscard]] std::optional<DeviceStep> put_back_step(const JobTarget& target, const JobUndo& undo,
                                                      const JobFailures* failures, const Topology& topology);

// What is not as it was: "dax0.0: its driver, memory blocks 3 and 5"; empty if nothing.
[[nodiscard]] std::string not_put_back(const JobTarget& target, const JobUndo& undo,
                                       const Topology& topology);

}  // namespace cxlmemd
