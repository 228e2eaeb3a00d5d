// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a new region can lie. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/region_wishes.h"
#include "policy/topology.h"

namespace cxlmemd {

// Capacity of cards that a region as large as can be leaves over.
struct UnusedCapacity {
    Bytes bytes;      // 0: less than one more region could be made of
    std::string why;  // a clause
};

struct RootChoice {
    const RootDecoder* root = nullptr;  // points into the topology
    PhysRange range;                    // where the region would fit, and its size
    std::string why_none;               // one sentence, if root is null
    UnusedCapacity unused{};            // if the wish has no size
};

// The parts of its window that nothing takes: no region, no decoder without a region, no dax device and no
// memory block; each from an address at which a region can begin, ascending.
[[nodiscard]] std::vector<PhysRange> free_in(const Topology& topology, const RootDecoder& root);

// What the members have left beside a region of `size` that is yet to be made on `root` (0: it is there).
[[nodiscard]] UnusedCapacity unused_capacity(const Topology& topology, const RegionSetup& setup,
                                             const RootDecoder& root, Bytes size);

// The first root decoder that the wish allows, that leads to all members of `setup`, takes the type and
// has room. The size is the wish's, or the largest that the members and the decoder have left.
[[nodiscard]] RootChoice choose_root_decoder(const Topology& topology, const RegionWish& wish,
                                             const RegionSetup& setup);

}  // namespace cxlmemd
