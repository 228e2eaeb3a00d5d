// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a hanging operation waits.
#pragma once

#include <mutex>

namespace cxlmemd::emulator {

// Interrupted by any signal with a handler, with or without SA_RESTART: ppoll is never restarted. The signal
// mask is left alone.
class Hang final {
 public:
    Hang();  // throws std::system_error if the kernel has no eventfd to give
    Hang(const Hang&) = delete;
    Hang& operator=(const Hang&) = delete;
    ~Hang();

    // 0 when let go, EINTR after a signal unless `deaf`. One thread at a time.
    [[nodiscard]] int wait_until_let_go(bool deaf);
    // Lets a waiting operation continue; nothing if none waits. Any thread.
    void let_go();

 private:
    int fd_;
    std::mutex mutex_;
    bool waiting_ = false;
};

}  // namespace cxlmemd::emulator
