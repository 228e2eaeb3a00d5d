// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/stuck_watch.h"

#include <algorithm>

namespace cxlmemd {

std::uint64_t StuckWatch::stuck_at(const CallRecord::Call& call) const {
    const std::uint64_t at = call.begin_usec + limits_.call_usec;
    return call.interrupted_usec ? std::min(at, *call.interrupted_usec + limits_.vain_usec) : at;
}

void StuckWatch::look(bool busy) {
    const auto call = record_.current();
    if (stuck_ && (!call || call->number != *stuck_)) {
        stuck_.reset();
        hooks_.back();
    }
    if (!busy) return timer_.reset();
    const std::uint64_t now = record_.now_usec();
    if (!call) return look_again_at(now + limits_.call_usec);  // between two calls
    if (stuck_) return timer_.reset();                         // its end comes by itself
    if (now < stuck_at(*call)) return look_again_at(stuck_at(*call));
    timer_.reset();
    stuck_ = call->number;
    hooks_.stuck(call->what);
}

// An earlier look does no harm: most calls are over long before.
void StuckWatch::look_again_at(std::uint64_t usec) {
    const std::uint64_t now = record_.now_usec();
    if (timer_ && timer_usec_ <= usec && timer_usec_ > now) return;
    timer_usec_ = usec;
    timer_ = loop_.add_deadline(usec > now ? usec - now : 0, [this] {
        timer_.reset();
        look(true);
    });
}

}  // namespace cxlmemd
