// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/event_path.h"

#include <algorithm>
#include <utility>

namespace cxlmemd::emulator {

namespace {

constexpr std::uint64_t not_the_dice_of_operations = 0x6576656e74;

}  // namespace

bool EventPath::add(EventFault fault) {
    if (pending_.size() >= most) return false;
    Dice own{seed_ ^ Dice{++added_ ^ not_the_dice_of_operations}.next()};
    pending_.push_back({fault, own, 0});
    return true;
}

void EventPath::push(const Uevent& uevent, std::uint64_t now) {
    std::optional<EventFault> struck;
    for (Pending& pending : pending_) {
        const EventFault& fault = pending.fault;
        if (fault.only && !fault.only->matches(uevent)) continue;
        ++pending.seen;
        const bool strikes = fault.when.includes(pending.seen) && pending.dice.falls(fault.when.probability);
        if (strikes && !struck) struck = fault;
    }
    std::erase_if(pending_, [](const Pending& pending) { return pending.fault.when.spent(pending.seen); });
    if (struck && struck->kind == EventFault::Kind::lose) return;
    const bool late = struck && struck->kind != EventFault::Kind::twice && held_.size() < most_held;
    if (late) {
        held_.push_back({event_of(uevent), now + struck->usec,
                         struck->kind == EventFault::Kind::reorder ? struck->behind : 0});
        return;
    }
    queue_.push(event_of(uevent));
    if (struck && struck->kind == EventFault::Kind::twice) queue_.push(event_of(uevent));
    overtake();
}

// One event has passed those that are held.
void EventPath::overtake() {
    std::erase_if(held_, [&](Held& held) {
        if (held.behind == 0 || --held.behind > 0) return false;
        queue_.push(std::move(held.event));
        return true;
    });
}

void EventPath::release(std::uint64_t now) {
    std::ranges::stable_sort(held_, {}, &Held::due);
    while (!held_.empty() && held_.front().due <= now) {
        queue_.push(std::move(held_.front().event));
        held_.pop_front();
    }
}

std::optional<std::uint64_t> EventPath::next_due() const {
    const auto first = std::ranges::min_element(held_, {}, &Held::due);
    return first == held_.end() ? std::nullopt : std::optional{first->due};
}

}  // namespace cxlmemd::emulator
