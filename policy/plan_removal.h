// SPDX-License-Identifier: LGPL-2.1-or-later
// The steps that take a region away, or that leave a memdev with nothing standing on it.
//
// A removal goes through its devices together: every block of all of them offline, then all of them
// unbound, then the region destroyed. Whoever carries it out never goes past a step that has not reached
// all it should (R11). Pure, any thread.
#pragma once

#include <optional>
#include <vector>

#include "policy/decide.h"

namespace cxlmemd {

// A step, and the dax device that it is for; destroy_region is for none.
struct DeviceStep {
    DaxIdentity device;
    Step step;

    bool operator==(const DeviceStep&) const = default;
};

// Of one device or of several that are dealt with together.
struct JointPlan {
    std::vector<DeviceStep> steps;  // in order; empty if it cannot be done, or is done
    std::optional<Error> blocked;   // why it cannot be done, or not to its end

    bool operator==(const JointPlan&) const = default;
};

// Drain, unbind, destroy. What stands on it is for occupancy.h to say. Blocked without a step, since the end
// could not be reached:
//  - whatever not_to_be_emptied() answers: plain System RAM, leaked memory, what cannot be told.
//  - not_supported: a device is in mode system-ram, and the kernel cannot hot-remove (R13); the region is
//    persistent memory, of whose users (file systems on its namespaces) nothing is known here; the firmware
//    has locked its decoders.
//  - conflict: something stands above it on one of its memdevs (Region::destroyed_first).
// Blocks that are going offline by somebody's hand: busy, after the steps that drain the others.
[[nodiscard]] JointPlan plan_region_removal(const Topology& topology, const Region& region);

// Drain and unbind everything on the memdev; its regions stay, for whoever changes their mind. Blocked as
// above, but for what is the region's own. No step and not blocked: it may be pulled (R17).
[[nodiscard]] JointPlan plan_memdev_removal(const Topology& topology, const Memdev& memdev);

}  // namespace cxlmemd
