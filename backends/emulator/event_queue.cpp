#include "backends/emulator/event_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

namespace cxlmemd::emulator {

EventQueue::EventQueue() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EventQueue::~EventQueue() {
    ::close(fd_);
}

void EventQueue::push(Event event) {
    const std::lock_guard lock(mutex_);
    if (lose_ > 0) {
        --lose_;
        return;
    }
    if (double_ > 0) {
        --double_;
        append(event);
    }
    append(std::move(event));
}

void EventQueue::append(Event event) {
    if (waiting_.size() >= capacity) {
        waiting_.clear();
        event = Event{};  // everything
    } else if (waiting_.size() == 1 && waiting_.front() == Event{}) {
        return;  // after an overflow "look at everything again" says it all
    }
    const bool was_empty = waiting_.empty();
    waiting_.push_back(std::move(event));
    if (was_empty) static_cast<void>(::eventfd_write(fd_, 1));
}

std::vector<Event> EventQueue::take() {
    const std::lock_guard lock(mutex_);
    const auto end =
        std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(std::min(waiting_.size(), most_at_once)));
    std::vector<Event> out(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    if (waiting_.empty()) {
        eventfd_t ignored = 0;
        static_cast<void>(::eventfd_read(fd_, &ignored));
    }
    return out;
}

void EventQueue::misbehave(std::uint64_t lose, std::uint64_t twice) {
    const std::lock_guard lock(mutex_);
    lose_ = lose;
    double_ = twice;
}

}  // namespace cxlmemd::emulator
