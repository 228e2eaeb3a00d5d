// SPDX-License-Identifier: LGPL-2.1-or-later
// zone = "auto": how much of each device may go to ZONE_MOVABLE, so that the whole machine keeps to
// max_movable_ratio. Pure, any thread.
//
// Why there is a ratio at all: what the kernel needs for itself (page tables, struct pages, slab) never comes
// from ZONE_MOVABLE; see "Zone Movable" in Documentation/admin-guide/mm/memory-hotplug.rst.
//
// How it is counted:
//  - all memory of the machine counts, not only dax devices'; of devices that policy manages, what they will
//    have online once policy has been carried out;
//  - kernel memory of the device that is being placed does not justify its own movable part: who takes the
//    device away takes both;
//  - devices under "auto" are placed in the order in which the kernel made them, so that a device that
//    appears later never changes what has been decided for an earlier one;
//  - what of a device may not be movable becomes kernel memory: the lowest of the blocks that are wanted.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

// One device, and what is wanted of it; null goal: nobody does anything to it, it stays as it is.
struct Wish {
    const DaxDevice* device = nullptr;
    const Goal* goal = nullptr;
};

// One entry a wish; set for those whose goal is system-ram memory in zone automatic.
[[nodiscard]] std::vector<std::optional<Split>> split_automatic(const Topology& topology,
                                                                std::span<const Wish> wishes,
                                                                double max_ratio);

// How many more blocks of the device may come online in ZONE_MOVABLE at this moment, as the machine is now
// and not as it will be: asked again when the moment to act has come.
[[nodiscard]] std::uint64_t movable_allowance(const Topology& topology, const DaxDevice& device,
                                              double max_ratio);

}  // namespace cxlmemd
