// SPDX-License-Identifier: LGPL-2.1-or-later
// Whose memory block is whose, found without a look at every device: on a machine with a thousand of them
// that look is most of what a changed block would cost. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

// Of one topology's dax devices: made anew when they are.
class BlockOwners final {
 public:
    BlockOwners() = default;
    explicit BlockOwners(const Topology& topology);

    // Places in dax_devices of those in which the block lies wholly, ascending: one, unless a machine is
    // described wrongly. Reckoned in log n.
    void find(BlockIndex block, std::vector<std::size_t>& out) const;

 private:
    struct Stretch {
        std::uint64_t first;
        std::uint64_t last;      // one past the last block
        std::uint64_t furthest;  // the largest `last` up to here
        std::size_t device;
    };
    std::vector<Stretch> stretches_;  // by first
};

}  // namespace cxlmemd
