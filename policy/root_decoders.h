// Where a new region can lie. Pure, any thread.
#pragma once

#include <string>

#include "policy/policy.h"
#include "policy/region_wishes.h"
#include "policy/topology.h"

namespace cxlmemd {

struct RootChoice {
    const RootDecoder* root = nullptr;  // points into the topology
    PhysRange range;                    // where the region would fit, and its size
    std::string why_none;               // one sentence, if root is null
};

// The first root decoder that the wish allows, that leads to all members of `setup`, takes the type and
// has room. The size is the wish's, or the largest that the members and the decoder have left.
[[nodiscard]] RootChoice choose_root_decoder(const Topology& topology, const RegionWish& wish,
                                             const RegionSetup& setup);

}  // namespace cxlmemd
