// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/state_watch.h"

#include <chrono>
#include <system_error>
#include <utility>

namespace cxlmemd {

namespace {

constexpr std::chrono::milliseconds between_looks{200};

bool is_done(const MemoryBlocks& blocks, BlockIndex index, bool come) {
    const auto block = blocks.read(index, no_node);
    if (!block) return !come && block.error().is_absence();
    return (block->state == BlockState::online) == come;
}

}  // namespace

std::uint64_t blocks_done(const MemoryBlocks& blocks, const std::vector<BlockIndex>& ascending, bool come) {
    std::size_t first = 0;  // all below are done
    std::size_t last = ascending.size();
    while (first != last) {
        const std::size_t middle = first + (last - first) / 2;
        if (is_done(blocks, ascending[middle], come)) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

StateWatch::StateWatch(const MemoryBlocks& blocks, std::vector<BlockIndex> ascending, bool come,
                       const std::function<void(std::uint64_t)>& progress)
    : blocks_(blocks), ascending_(std::move(ascending)), come_(come), progress_(progress) {
    if (!progress_) return;
    try {
        thread_ = std::thread{[this] { run(); }};
    } catch (const std::system_error&) {
        // Nobody hears how far it is, only that it is done.
    }
}

StateWatch::~StateWatch() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    over_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void StateWatch::run() {
    std::uint64_t told = 0;
    std::unique_lock lock{mutex_};
    while (!over_.wait_for(lock, between_looks, [this] { return stopping_; })) {
        lock.unlock();
        const std::uint64_t done = blocks_done(blocks_, ascending_, come_);
        if (done > told) progress_(told = done);
        lock.lock();
    }
}

}  // namespace cxlmemd
