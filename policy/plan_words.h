// SPDX-License-Identifier: LGPL-2.1-or-later
// The sentences that plans give as reasons. No decision is made here. Pure, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "policy/block_choice.h"
#include "policy/decide.h"

namespace cxlmemd {

// "1 block is", "32 blocks are"
[[nodiscard]] std::string blocks_are(std::uint64_t count);

// "block 178", "blocks 178-181, 190"; of a long list the first runs and how many follow.
// `blocks` ascends and is not empty.
[[nodiscard]] std::string block_list(std::span<const BlockIndex> blocks);

// "ZONE_MOVABLE", "a kernel zone"
[[nodiscard]] std::string_view zone_words(Zone zone);

// "node 1 or 3"
[[nodiscard]] std::string node_words(std::span<const NodeId> nodes);

// What stands in the way of a choice, as one sentence; empty if nothing does.
// `unknown`: what the kernel did not say of the device, if there is something; null if not.
[[nodiscard]] std::string obstacle_words(const BlockChoice& choice, const Unreadable* unknown);

// What the plan will do and why, or that there is nothing to do. Obstacles are not in it.
[[nodiscard]] std::string choice_words(const Topology& topology, const DaxDevice& device, const Goal& goal,
                                       const BlockChoice& choice);

}  // namespace cxlmemd
