// SPDX-License-Identifier: LGPL-2.1-or-later
// In which order to write to a device's memory blocks, so that the cost grows with their number and not with
// its square. Pure, any thread.
//
// After each block the kernel looks through the block's zone from its lowest page up to the first hole, to
// say whether it is whole (mm/mm_init.c, set_zone_contiguous(), from mm/memory_hotplug.c; until 7.4). When a
// block comes online it is itself still a hole; when one goes offline at an end of the zone, the zone shrinks
// and no hole is left. Measured in docs/block-order.md. Kernels without the search take any order alike.
#pragma once

#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

// Highest first: each block is the zone's lowest when it comes, so that the search ends where it begins.
[[nodiscard]] std::vector<BlockIndex> online_order(std::vector<BlockIndex> ascending);

// Zone by zone, as each has its own search; the zone of the lowest block first. Within a zone the second
// lowest first, so that a hole stands near its low end; then the highest downwards; the lowest last, as the
// hole would otherwise become the zone's end and be forgotten. Blocks that are not online now come last.
[[nodiscard]] std::vector<BlockIndex> offline_order(const Topology& topology,
                                                    const std::vector<BlockIndex>& ascending);

}  // namespace cxlmemd
