// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory tiers: /sys/devices/virtual/memory_tiering/memory_tierN/nodelist
// (Documentation/ABI/testing/sysfs-kernel-mm-memory-tiers). Worker thread.
//
// Reading a nodelist can lock up the machine's memory hotplug for ever. When a tier's last node loses its
// last block, the kernel removes the tier's folder while it holds memory_tier_lock, and waits for readers
// of its files; a reader of nodelist waits for that lock (mm/memory-tiers.c; seen on 6.12: both tasks
// unkillable, the hotplug lock held). So a nodelist is read once for each node that has got memory, and
// never while a node might be about to lose it.
#pragma once

#include <map>
#include <vector>

#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

class Tiers final {
 public:
    explicit Tiers(LinuxPaths paths) : paths_(std::move(paths)) {}

    // Sets Node::tier of each node of `topology` whose tier is known; the others get theirs in a later
    // scan. Needs the blocks, and what memory the nodes have.
    void fill(Topology& topology);

 private:
    void read();

    LinuxPaths paths_;
    std::map<NodeId, int> known_;
};

}  // namespace cxlmemd
