// SPDX-License-Identifier: LGPL-2.1-or-later
// What the kernel's own settings should read: interleave weights from [[node]] tables, demotion from
// daemon.toml. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/topology.h"

namespace cxlmemd {

enum class Tunable : std::uint8_t {
    interleave_weight,  // weighted_interleave/nodeN; the value is the weight
    interleave_auto,    // weighted_interleave/auto, of the machine as a whole; 1 is on
    demotion,           // numa/demotion_enabled; 1 is on
};

struct TuningWish {
    Tunable tunable = Tunable::interleave_weight;
    NodeId node = no_node;  // interleave_weight only
    std::uint32_t value = 0;
    bool holds = false;  // the kernel reads so already
    std::string reason;  // one sentence without full stop

    bool operator==(const TuningWish&) const = default;
};

struct TuningPlan {
    std::vector<TuningWish> wishes;      // what is wanted now; a node is tuned once it has memory online
    std::vector<std::string> obstacles;  // what is wanted and cannot be, and why

    bool operator==(const TuningPlan&) const = default;
};

// The first [[node]] table that matches a node decides. "auto" on a kernel with a mode of that name is
// that mode, if nothing else than "auto" is asked of any node; else the weights that the mode would
// give, if the bandwidth of every node with memory is known. Only nodes that a table matches are written.
[[nodiscard]] TuningPlan plan_tuning(const Topology& topology, const Policy& policy, DemotionWish demotion);

// The weights that the kernel's automatic mode gives these bandwidths (of each the lesser one of read
// and write), in their order: mm/mempolicy.c, reduce_interleave_weights().
[[nodiscard]] std::vector<std::uint32_t> automatic_weights(const std::vector<MegabytesPerSecond>& bandwidths);

// "interleave weight of node 1", "automatic interleave weights", "demotion"
[[nodiscard]] std::string describe(const TuningWish& wish);

}  // namespace cxlmemd
