// SPDX-License-Identifier: LGPL-2.1-or-later
// The way of the events from the emulated kernel to the queue, on which they may be lost, come twice, be late
// or be overtaken.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "backends/emulator/dice.h"
#include "backends/emulator/event_queue.h"
#include "backends/emulator/faults.h"
#include "backends/emulator/uevent.h"

namespace cxlmemd::emulator {

struct EventFault {
    enum class Kind : std::uint8_t {
        lose,
        twice,
        delay,    // comes so much later
        reorder,  // comes after so many others that were after it, or so much later if there are none
    };

    Kind kind = Kind::lose;
    std::optional<UeventKind> only{};  // these events; nullopt: all
    Strikes when{};
    std::uint64_t usec = 0;    // delay, reorder
    std::uint64_t behind = 1;  // reorder
};

// Not thread-safe. Times are the machine's, in microseconds.
class EventPath final {
 public:
    static constexpr std::size_t most = 256;        // faults
    static constexpr std::size_t most_held = 4096;  // events; further ones are not delayed

    explicit EventPath(EventQueue& queue, std::uint64_t seed = 1) : queue_(queue), seed_(seed) {}

    void seed(std::uint64_t seed) {  // see FaultList
        seed_ = seed;
        added_ = 0;
    }
    [[nodiscard]] bool add(EventFault fault);  // false if there are too many already
    void clear() { pending_.clear(); }         // what is held comes in its time

    // Whether push() needs to know the time.
    [[nodiscard]] bool is_straight() const { return pending_.empty() && held_.empty(); }
    // The first fault that strikes decides.
    void push(const Uevent& uevent, std::uint64_t now);
    // Lets go what is due.
    void release(std::uint64_t now);
    [[nodiscard]] std::optional<std::uint64_t> next_due() const;

 private:
    struct Pending {
        EventFault fault;
        Dice dice;
        std::uint64_t seen = 0;
    };
    struct Held {
        Event event;
        std::uint64_t due = 0;
        std::uint64_t behind = 0;  // so many others still overtake it; 0: it waits for its time alone
    };
    void overtake();

    EventQueue& queue_;
    std::vector<Pending> pending_;
    std::deque<Held> held_;
    std::uint64_t seed_;
    std::uint64_t added_ = 0;
};

}  // namespace cxlmemd::emulator
