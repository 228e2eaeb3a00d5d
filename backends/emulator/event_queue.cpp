// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/event_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

namespace cxlmemd::emulator {

EventQueue::EventQueue() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EventQueue::~EventQueue() {
    ::close(fd_);
}

void EventQueue::push(Event event) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= capacity) {
        waiting_.clear();
        event = Event{};  // everything
    } else if (waiting_.size() == 1 && waiting_.front() == Event{}) {
        return;  // after an overflow "look at everything again" says it all
    }
    const bool was_idle = idle();
    waiting_.push_back(std::move(event));
    if (was_idle) signal();
}

void EventQueue::storm(std::vector<Event> in_turn, std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    const bool was_idle = idle();
    storm_left_ = in_turn.empty() ? 0 : count;
    storm_ = std::move(in_turn);
    storm_given_ = 0;
    if (was_idle && !idle()) signal();
}

std::vector<Event> EventQueue::take() {
    const std::lock_guard lock(mutex_);
    std::vector<Event> out;
    for (; storm_left_ > 0 && out.size() < most_at_once; --storm_left_, ++storm_given_) {
        out.push_back(storm_[storm_given_ % storm_.size()]);
    }
    const auto end = std::next(
        waiting_.begin(), static_cast<std::ptrdiff_t>(std::min(waiting_.size(), most_at_once - out.size())));
    std::move(waiting_.begin(), end, std::back_inserter(out));
    waiting_.erase(waiting_.begin(), end);
    if (idle() && std::exchange(signalled_, false)) {
        eventfd_t ignored = 0;
        static_cast<void>(::eventfd_read(fd_, &ignored));
    }
    return out;
}

void EventQueue::nudge() {
    const std::lock_guard lock(mutex_);
    signal();
}

void EventQueue::signal() {
    signalled_ = true;
    static_cast<void>(::eventfd_write(fd_, 1));
}

}  // namespace cxlmemd::emulator
