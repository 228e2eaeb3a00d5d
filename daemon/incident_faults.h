// SPDX-License-Identifier: LGPL-2.1-or-later
// From the kernel's answers in their order to faults of the emulator that make it answer the same. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace cxlmemd {

struct RecordedAnswer {
    std::string operation;
    std::string object;
    std::optional<std::uint64_t> block;  // the first of `blocks`, upwards
    std::uint64_t blocks = 1;
    int errnum = 0;  // 0: done, or refused before the kernel was asked
};

struct RecordedFault {
    std::string operation;
    std::string dax;
    std::optional<std::uint64_t> block;
    int errnum = 0;  // EINTR: the daemon interrupted what did not come back
    std::uint64_t nth = 1;
    std::uint64_t count = 1;  // 0: for ever
};

// Counts the calls about each block or device: the nth of them fails as the nth of them did. What failed the
// last time it was tried goes on failing: nobody knows when it would have ended.
class FaultHistory final {
 public:
    void add(const RecordedAnswer& answer);
    [[nodiscard]] std::vector<RecordedFault> faults() const;

 private:
    struct Calls {
        std::uint64_t made = 0;
        std::vector<RecordedFault> runs;
        std::uint64_t last_failed = 0;  // the number of the last call that did
    };
    using Key = std::tuple<std::string, std::string, std::optional<std::uint64_t>>;
    std::map<Key, Calls> calls_;
    std::vector<Key> order_;  // in which they failed first
};

}  // namespace cxlmemd
