// SPDX-License-Identifier: LGPL-2.1-or-later
// What one reply may come to: a bus has a limit for messages, and a client that does not read its replies has
// the broker keep them.
#pragma once

#include <cstddef>
#include <string>

#include "dbus/guard.h"

namespace cxlmemd::bus {

// Of a list of problems; it is cut there, and says so.
inline constexpr std::size_t max_problem_bytes = std::size_t{1024} * 1024;
// Of everything else; what would be more is an error.
inline constexpr std::size_t max_reply_bytes = std::size_t{16} * 1024 * 1024;

class ReplyBudget final {
 public:
    explicit ReplyBudget(std::string operation) : operation_(std::move(operation)) {}

    // Throws once it is too much.
    void add(std::size_t bytes) {
        bytes_ += bytes;
        if (bytes_ <= max_reply_bytes) return;
        throw to_bus_error({.code = ErrorCode::failed,
                            .operation = operation_,
                            .reason = "the answer would be larger than 16 MiB",
                            .advice = "ask for one object at a time"});
    }
    template <class... Strings>
    void add_strings(const Strings&... strings) {
        add((std::size_t{64} + ... + strings.size()));  // and what a message has around them
    }

 private:
    std::string operation_;
    std::size_t bytes_ = 0;
};

}  // namespace cxlmemd::bus
