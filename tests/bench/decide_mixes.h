// SPDX-License-Identifier: LGPL-2.1-or-later
// A machine of many dax devices, and policies of many rules of different kinds: what the benchmark
// measures and the guards count.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd::test {

inline constexpr std::size_t many_devices = 10'000;
inline constexpr std::size_t many_rules = 1'000;

// Each device is a region of one card of its own with blocks that are offline. Names, serials, hosts
// and places differ for all; sizes, decoders, nodes and coordinates repeat as on real machines.
[[nodiscard]] Topology fleet_machine(std::size_t devices);

struct RuleMix {
    std::string_view name;
    // One rule of the mix; few devices or none fit it, so that the others must be asked too.
    Match (*match)(std::size_t rule);
};

[[nodiscard]] const std::vector<RuleMix>& rule_mixes();

// `rules` of the mix, then one that takes every device that is left.
[[nodiscard]] Policy fleet_policy(const RuleMix& mix, std::size_t rules);

}  // namespace cxlmemd::test
