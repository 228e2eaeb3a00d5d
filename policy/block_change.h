// SPDX-License-Identifier: LGPL-2.1-or-later
// A few memory blocks have changed: exchanges them in a topology, and says whom that concerns. Somebody else
// brings one block of a large machine online: that must not cost a look at everything. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "policy/block_owners.h"
#include "policy/topology.h"

namespace cxlmemd {

struct BlockChange {
    bool changed = false;     // something is different
    bool structural = false;  // a block appeared or vanished
    // A node has its first memory, or has lost its last: tiers, coordinates and weights follow from that.
    bool node_turned = false;
    std::vector<std::size_t> devices;  // places in dax_devices whose whole blocks changed, ascending
    std::vector<NodeId> nodes;         // whose memory changed, ascending
    std::int64_t online = 0;  // whole blocks of dax devices: online now that were not, less the others

    bool operator==(const BlockChange&) const = default;
};

// The blocks named in `looked_at` are as in `found` from now on (absent there: gone); what they add to or
// take from the zones of their nodes is counted. Blocks of nobody's dax device are left out; `owners` are
// those of this topology. With n devices, k blocks named and b blocks in all: k log n + k log b, and b more
// if the change is structural.
BlockChange exchange_blocks(Topology& topology, const BlockOwners& owners,
                            std::span<const BlockIndex> looked_at, std::span<const Block> found);

// The same in a copy.
[[nodiscard]] Topology with_blocks(const Topology& topology, std::span<const BlockIndex> looked_at,
                                   std::span<const Block> found);

}  // namespace cxlmemd
