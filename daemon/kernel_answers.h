// SPDX-License-Identifier: LGPL-2.1-or-later
// What the kernel answered to each write of the daemon's, for the flight recorder: noted on the worker's
// thread, fetched on the loop's. Holds its own lock.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/error.h"
#include "policy/units.h"

namespace cxlmemd {

// One write, or a run of writes to neighbouring memory blocks that all went well.
struct KernelAnswer {
    std::string operation;  // as the emulator's faults call it: "online", "set_mode"
    std::string object;     // "dax0.0", "region0", "node1"; empty for the machine
    std::string value;      // what was written: "online_movable"
    std::optional<BlockIndex> block;
    std::uint64_t blocks = 1;      // from `block` on, upwards
    bool downwards = false;        // the order in which they were written
    std::uint64_t began_usec = 0;  // CLOCK_MONOTONIC
    std::uint64_t ended_usec = 0;
    std::optional<Error> error;
};

class KernelAnswers final {
 public:
    // No more than these wait to be fetched; the others are counted.
    static constexpr std::size_t most = 4096;

    // Off until somebody fetches: nothing is kept then.
    void switch_on();
    void note_block(std::string_view operation, const std::string& object, std::string_view value,
                    BlockIndex block, std::uint64_t began_usec, std::uint64_t now_usec, const Error* error);
    void note(KernelAnswer answer);

    struct Fetched {
        std::vector<KernelAnswer> answers;
        std::uint64_t lost = 0;
    };
    [[nodiscard]] Fetched fetch();

    // How many writes failed, by errno, also while it is off: EINTR are those that the daemon interrupted.
    [[nodiscard]] std::map<int, std::uint64_t> refused() const;

 private:
    mutable std::mutex mutex_;  // guards everything below
    std::map<int, std::uint64_t> refused_;
    bool on_ = false;
    Fetched kept_;
};

}  // namespace cxlmemd
