// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/agenda.h"

#include <limits>

namespace cxlmemd::emulator {

namespace {

std::uint64_t later(std::uint64_t from, std::uint64_t by) {
    return by > std::numeric_limits<std::uint64_t>::max() - from ? std::numeric_limits<std::uint64_t>::max()
                                                                 : from + by;
}

}  // namespace

bool Agenda::add(Order order, std::optional<std::uint64_t> from) {
    if (waiting_.size() + unbegun_.size() >= most || due_.size() >= most_due) return false;
    auto shared = std::make_shared<const Order>(std::move(order));
    if (shared->on) {
        waiting_.push_back({std::move(shared), 0});
    } else if (from) {
        due_.emplace(std::pair{later(*from, shared->at_usec.value_or(0)), ++numbered_},
                     Due{shared, std::nullopt, 0});
    } else {
        unbegun_.push_back(std::move(shared));
    }
    return true;
}

void Agenda::start(std::uint64_t now) {
    for (auto& order : unbegun_) {
        const std::uint64_t due = later(now, order->at_usec.value_or(0));
        due_.emplace(std::pair{due, ++numbered_}, Due{std::move(order), std::nullopt, 0});
    }
    unbegun_.clear();
}

template <class Matches>
void Agenda::follow(Matches matches, std::optional<BlockIndex> block, unsigned chain, std::uint64_t now) {
    const bool room = due_.size() < most_due && (chain == 0 || chained_ < most_chained);
    if (chain >= longest_chain || !room) return;
    std::erase_if(waiting_, [&](Waiting& waiting) {
        const Occasion& on = *waiting.order->on;
        if (!matches(on)) return false;
        ++waiting.seen;
        if (on.includes(waiting.seen)) {
            if (chain > 0) ++chained_;
            due_.emplace(std::pair{later(now, on.lag_usec), ++numbered_},
                         Due{waiting.order, block, chain + 1});
        }
        return on.times != 0 && waiting.seen >= on.nth && waiting.seen - on.nth + 1 >= on.times;
    });
}

void Agenda::occurred(const Call& call, bool before, std::uint64_t now) {
    follow([&](const Occasion& on) { return on.call && on.before == before && on.call->matches(call); },
           call.block, 0, now);
}

void Agenda::occurred(const Uevent& uevent, unsigned chain, std::uint64_t now) {
    const bool has_block = uevent.subsystem == Uevent::Subsystem::memory;
    follow(
        [&](const Occasion& on) {
            return on.uevent && on.uevent->matches(uevent) && (!on.block || on.block == uevent.block) &&
                   (on.name.empty() || on.name == uevent.name);
        },
        has_block ? std::optional{uevent.block} : std::nullopt, chain, now);
}

std::optional<Agenda::Due> Agenda::take_due(std::uint64_t now) {
    if (due_.empty() || due_.begin()->first.first > now) return std::nullopt;
    Due first = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    if (first.chain > 1) --chained_;
    return first;
}

std::optional<std::uint64_t> Agenda::next_due() const {
    return due_.empty() ? std::nullopt : std::optional{due_.begin()->first.first};
}

}  // namespace cxlmemd::emulator
