// SPDX-License-Identifier: LGPL-2.1-or-later
// Waits for the bus and for Ctrl-C at once.
#pragma once

#include <sdbus-c++/sdbus-c++.h>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>

namespace cxlmemctl {

// From construction to destruction SIGINT and SIGTERM do not end the process: turn() returns them.
// One at a time; main thread.
class EventPump final {
 public:
    explicit EventPump(sdbus::IConnection& connection);
    ~EventPump();
    EventPump(const EventPump&) = delete;
    EventPump& operator=(const EventPump&) = delete;

    enum class Woken { bus, interrupted, deadline };

    // Dispatches all messages that are there, without waiting.
    void drain();
    // Waits for something to happen, at most until then, and drains. Throws sdbus::Error if the bus is gone.
    Woken turn(std::optional<std::chrono::steady_clock::time_point> until = std::nullopt);

    // Asks on standard error, and reads a line from standard input. nullopt: Ctrl-C, or the end of the input.
    // The bus waits meanwhile.
    [[nodiscard]] std::optional<std::string> ask(std::string_view question);

 private:
    sdbus::IConnection& connection_;
    sigset_t before_{};
    int signal_fd_ = -1;
};

}  // namespace cxlmemctl
