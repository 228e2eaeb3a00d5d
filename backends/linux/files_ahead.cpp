// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/files_ahead.h"

#include <algorithm>
#include <utility>

namespace cxlmemd {

FilesAhead::FilesAhead(const MemoryBlocks& blocks, std::vector<BlockIndex> order)
    : blocks_(blocks), order_(std::move(order)) {
    thread_ = std::thread{[this] { run(); }};
}

FilesAhead::~FilesAhead() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    moved_.notify_all();
    thread_.join();
}

const sysfs::Fd* FilesAhead::take(BlockIndex block) {
    if (taken_ == order_.size() || order_[taken_] != block) return nullptr;
    if (place_ == in_use_.count) exchange();
    ++taken_;
    const sysfs::Fd& file = in_use_.files[place_++];
    return file.valid() ? &file : nullptr;
}

// The files of the batch that is done go back to be closed.
void FilesAhead::exchange() {
    {
        std::unique_lock lock{mutex_};
        moved_.wait(lock, [this] { return ready_; });
        std::swap(in_use_, next_);
        ready_ = false;
    }
    moved_.notify_all();
    place_ = 0;
}

void FilesAhead::run() {
    std::unique_lock lock{mutex_};
    while (opened_ != order_.size()) {
        moved_.wait(lock, [this] { return stopping_ || !ready_; });
        if (stopping_) return;
        lock.unlock();
        open_next();
        lock.lock();
        ready_ = true;
        moved_.notify_all();
    }
}

// Closes the files that came back.
void FilesAhead::open_next() {
    next_.count = 0;
    const std::size_t wanted = std::exchange(batch_size_, std::min(2 * batch_size_, largest_batch));
    for (sysfs::Fd& file : next_.files) {
        file = {};
        if (opened_ == order_.size() || next_.count == wanted) continue;
        if (auto state = blocks_.open_state(order_[opened_])) file = std::move(*state);
        ++opened_;
        ++next_.count;
    }
}

}  // namespace cxlmemd
