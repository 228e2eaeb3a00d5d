// SPDX-License-Identifier: LGPL-2.1-or-later
// Carries out one step of a plan, block by block. Worker thread; no pause, no retry: the loop thread
// decides about those.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "backends/backend.h"
#include "policy/decide.h"

namespace cxlmemd {

struct BlockFailure {
    BlockIndex block;
    Error error;
};

struct StepReport {
    std::vector<BlockIndex> looked_at;  // every block that was tried
    std::vector<Block> found;           // how the kernel shows them afterwards; absent: gone
    std::vector<BlockIndex> reached;    // are in the wanted state and zone, seen in the kernel
    std::vector<BlockFailure> failed;   // are not
    std::optional<Error> stopped;       // why the step ended before its last block
    std::uint64_t usec_in_writes = 0;   // inside the kernel's writes
};

// Tries every block of an online or offline step in order, however many fail; stops when `stop` is
// set, the owner is gone, or a call was interrupted. A block that is there already counts as reached,
// one that is online in another zone as a conflict (R15). set_mode and unplug steps: one call, no blocks.
// Steps by_state: one call for all of their blocks, which a signal alone can stop.
[[nodiscard]] StepReport run_step(Backend& backend, const DaxIdentity& device, const Step& step,
                                  const std::atomic<bool>& stop,
                                  const std::function<void(std::uint64_t reached)>& progress);

// True if the block is as the step wants it.
[[nodiscard]] bool is_reached(const Step& step, const Block& block);

}  // namespace cxlmemd
