#include "backends/linux/files_ahead.h"

#include <utility>

namespace cxlmemd {

FilesAhead::FilesAhead(const MemoryBlocks& blocks, std::vector<BlockIndex> order, StillOwned still_owned)
    : blocks_(blocks), order_(std::move(order)), still_owned_(std::move(still_owned)) {
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
    if (place_ == in_use_.count) return nullptr;
    ++taken_;
    const sysfs::Fd& file = in_use_.files[place_++];
    return file.valid() ? &file : nullptr;
}

// The files of the batch that is done go back to be closed.
void FilesAhead::exchange() {
    {
        std::unique_lock lock{mutex_};
        moved_.wait(lock, [this] { return ready_ || ended_; });
        if (!ready_) return;
        std::swap(in_use_, next_);
        ready_ = false;
    }
    moved_.notify_all();
    place_ = 0;
}

void FilesAhead::run() {
    std::unique_lock lock{mutex_};
    while (!ended_) {
        moved_.wait(lock, [this] { return stopping_ || !ready_; });
        if (stopping_) return;
        lock.unlock();
        const bool good = open_next();
        lock.lock();
        ready_ = good;
        ended_ = !good || opened_ == order_.size();
        moved_.notify_all();
    }
}

// Closes the files that came back. False if there is nothing more, or the owner is not itself any more.
bool FilesAhead::open_next() {
    next_.count = 0;
    for (sysfs::Fd& file : next_.files) {
        file = {};
        if (opened_ == order_.size()) continue;
        if (auto state = blocks_.open_state(order_[opened_])) file = std::move(*state);
        ++opened_;
        ++next_.count;
    }
    return next_.count != 0 && still_owned_();
}

}  // namespace cxlmemd
