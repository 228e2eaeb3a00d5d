// SPDX-License-Identifier: LGPL-2.1-or-later
// The `state` files of the blocks that come next, opened while the kernel is still at the one before, and
// closed again while it is at one after.
//
// Opening is what costs most between two writes: the kernel makes a name and an inode for each file. A thread
// of its own does it, a batch at a time, and hands the open files over. It writes nothing: that is the
// worker's (R16). It ends with its order or with the object, and allocates no memory.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/linux/memory_blocks.h"
#include "backends/linux/sysfs.h"

namespace cxlmemd {

class FilesAhead final {
 public:
    // `blocks` must outlive it. Throws std::system_error if there is no thread to be had.
    FilesAhead(const MemoryBlocks& blocks, std::vector<BlockIndex> order);
    FilesAhead(const FilesAhead&) = delete;
    FilesAhead& operator=(const FilesAhead&) = delete;
    // Waits until the thread is through with the open(2) that it is at.
    ~FilesAhead();

    // The next block of the order: its file, as it was when it was opened, good until the next call. Null if
    // `block` is not the next one, or if its file did not open. May wait for the thread. One thread.
    [[nodiscard]] const sysfs::Fd* take(BlockIndex block);

 private:
    // Exchanging them is what costs, and the first is waited for: each is twice as large as the one before.
    static constexpr std::size_t first_batch = 8;
    static constexpr std::size_t largest_batch = 64;
    struct Batch {
        std::array<sysfs::Fd, largest_batch> files;
        std::size_t count = 0;
    };
    void run();
    void open_next();
    void exchange();

    const MemoryBlocks& blocks_;
    const std::vector<BlockIndex> order_;
    std::size_t opened_ = 0;                // of the order; the thread's
    std::size_t batch_size_ = first_batch;  // of the next one; the thread's
    std::size_t taken_ = 0;                 // likewise; the caller's
    std::size_t place_ = 0;                 // in in_use_; the caller's
    Batch in_use_;                          // the caller's

    std::mutex mutex_;  // guards everything below
    std::condition_variable moved_;
    bool ready_ = false;  // next_ is to be taken, and the caller's; else the thread's
    Batch next_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace cxlmemd
