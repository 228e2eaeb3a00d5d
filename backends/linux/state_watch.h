// SPDX-License-Identifier: LGPL-2.1-or-later
// How far the kernel is with one write to daxX.Y/state, which hands nothing over until it is done: read from
// the blocks meanwhile, by a thread of its own.
//
// The kernel walks through the blocks from the lowest one on, so what is done is a beginning of them: a look
// reads as many blocks as a search by halves takes, not all of them. It writes nothing: that is the worker's
// (R16).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/linux/memory_blocks.h"

namespace cxlmemd {

// How many of the first blocks are online (or, if they go, are not: offline or away).
[[nodiscard]] std::uint64_t blocks_done(const MemoryBlocks& blocks, const std::vector<BlockIndex>& ascending,
                                        bool come);

class StateWatch final {
 public:
    // Calls `progress` on its thread, whenever more are done, until it ends. `blocks` and `progress` must
    // outlive it. No thread to be had: it stays silent.
    StateWatch(const MemoryBlocks& blocks, std::vector<BlockIndex> ascending, bool come,
               const std::function<void(std::uint64_t)>& progress);
    StateWatch(const StateWatch&) = delete;
    StateWatch& operator=(const StateWatch&) = delete;
    // Waits until the thread is through with the look that it is at.
    ~StateWatch();

 private:
    void run();

    const MemoryBlocks& blocks_;
    const std::vector<BlockIndex> ascending_;
    const bool come_;
    const std::function<void(std::uint64_t)>& progress_;

    std::mutex mutex_;  // guards stopping_
    std::condition_variable over_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace cxlmemd
