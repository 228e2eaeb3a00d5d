// SPDX-License-Identifier: LGPL-2.1-or-later
// What somebody changed about a device: how it was and how it is. Pure, any thread.
#pragma once

#include <span>
#include <string>

#include "policy/topology.h"

namespace cxlmemd {

// A device at one moment, as far as drift is concerned.
struct DeviceState {
    DaxMode mode = DaxMode::unbound;
    std::vector<Block> blocks;  // ascending

    bool operator==(const DeviceState&) const = default;
};

[[nodiscard]] DeviceState state_of(const Topology& topology, const DaxDevice& device);

// "block 35 was online in ZONE_MOVABLE and is offline; blocks 40-43 were offline and are online in a kernel
// zone"; empty if nothing differs.
[[nodiscard]] std::string what_changed(const DeviceState& was, const DeviceState& is);

}  // namespace cxlmemd
