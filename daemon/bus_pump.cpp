#include "daemon/bus_pump.h"

#include <poll.h>
#include <sys/epoll.h>

namespace cxlmemd {

namespace {

std::uint32_t to_epoll(short events) {
    std::uint32_t out = 0;
    if ((events & POLLIN) != 0) out |= EPOLLIN;
    if ((events & POLLOUT) != 0) out |= EPOLLOUT;
    return out;
}

}  // namespace

BusPump::BusPump(EventLoop& loop, sdbus::IConnection& connection, EventLoop::Callback on_lost)
    : loop_(loop), connection_(connection), on_lost_(std::move(on_lost)) {
    const auto poll = bus::poll_wish(connection_);
    io_ = loop_.add_io(poll.fd, to_epoll(poll.events), [this] { process(); });
    if (poll.wake_fd >= 0) wake_ = loop_.add_io(poll.wake_fd, EPOLLIN, [this] { process(); });
    timer_ = loop_.add_timer(0, [this] { process(); });
    loop_.set_prepare(io_, [this] { prepare(); });
}

// What sd-bus waits for changes with every message: asked anew before each poll.
void BusPump::prepare() {
    if (lost_) return;
    bus::PollWish poll;
    try {
        poll = bus::poll_wish(connection_);
    } catch (const sdbus::Error&) {  // closed since, by a message that did not get through
        return lose();
    }
    ::sd_event_source_set_io_events(io_.raw(), to_epoll(poll.events));
    if (poll.until_usec == UINT64_MAX) {
        ::sd_event_source_set_enabled(timer_.raw(), SD_EVENT_OFF);
    } else {
        ::sd_event_source_set_time(timer_.raw(), poll.until_usec);
        ::sd_event_source_set_enabled(timer_.raw(), SD_EVENT_ONESHOT);
    }
}

void BusPump::process() {
    if (lost_) return;
    try {
        // Bounded, so that a flood of calls does not starve timers and the worker's results.
        for (int i = 0; i < 64 && bus::process_one(connection_); ++i) {
        }
    } catch (const sdbus::Error&) {
        lose();
    }
}

void BusPump::lose() {
    lost_ = true;
    ::sd_event_source_set_enabled(io_.raw(), SD_EVENT_OFF);
    if (wake_) ::sd_event_source_set_enabled(wake_.raw(), SD_EVENT_OFF);
    ::sd_event_source_set_enabled(timer_.raw(), SD_EVENT_OFF);
    on_lost_();
}

}  // namespace cxlmemd
