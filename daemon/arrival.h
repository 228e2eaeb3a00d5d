// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether kmem is still adding blocks of a device: it shows up as the driver before it has added them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "daemon/clock.h"

namespace cxlmemd {

// Loop thread. Stays at its place while blocks arrive.
class Arrival final {
 public:
    Arrival() = default;
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

    // kmem adds blocks much faster than this one after the other; a pause this long means that the rest will
    // not come.
    static constexpr std::uint64_t longest_gap_usec = 1'000'000;

    // All that will come is there.
    void complete() { seen_.reset(); }

    // So many are there, and more may come. True while they may; `over` runs when none has come for too long.
    bool more_may_come(std::size_t present, Clock& clock, std::function<void()> over) {
        if (seen_ && seen_->present == present) return seen_->gap != nullptr;
        seen_ = Seen{present, clock.after(longest_gap_usec, [this, over = std::move(over)] {
                         const auto then = over;  // ends with the timer
                         seen_->gap.reset();
                         then();
                     })};
        return true;
    }

 private:
    struct Seen {
        std::size_t present = 0;
        Clock::Timer gap;  // null: it has been too long
    };
    std::optional<Seen> seen_;
};

}  // namespace cxlmemd
