// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/watchdog.h"

#include <algorithm>
#include <utility>

namespace cxlmemd {

Watchdog::Watchdog(EventLoop& loop, std::uint64_t watchdog_usec, std::vector<Proof> proofs, Hooks hooks)
    : loop_(loop), round_usec_(watchdog_usec / 2), proofs_(std::move(proofs)), hooks_(std::move(hooks)) {
    hooks_.feed();
    start_round();
}

void Watchdog::start_round() {
    timer_ = loop_.add_timer(round_usec_, [this] { end_round(); });
    const auto round = std::make_shared<Round>();
    round->given.resize(proofs_.size());
    round_ = round;
    for (std::size_t i = 0; i < proofs_.size(); ++i) {
        proofs_[i].ask([this, i, weak = std::weak_ptr<Round>{round}] {
            if (const auto same = weak.lock()) take(same, i);
        });
    }
}

void Watchdog::take(const std::shared_ptr<Round>& round, std::size_t which) {
    round->given[which] = true;
    if (round->fed || std::ranges::find(round->given, false) != round->given.end()) return;
    round->fed = true;
    starving_ = false;
    hooks_.feed();
}

void Watchdog::end_round() {
    if (!round_->fed && !std::exchange(starving_, true)) {
        const auto missing = std::ranges::find(round_->given, false) - round_->given.begin();
        hooks_.starves(proofs_[static_cast<std::size_t>(missing)].name);
    }
    start_round();
}

}  // namespace cxlmemd
