// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/bus_pump.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <chrono>

namespace cxlmemd {

namespace {

// What one turn of the loop gives to the bus.
constexpr std::chrono::milliseconds slice{5};
// Messages that wait to be sent before nothing more is taken in; each may be as large as an answer can be.
constexpr std::uint64_t most_queued = 8;
constexpr std::uint64_t look_usec = 1'000'000;
constexpr int most_looks_in_vain = 5;

std::uint32_t to_epoll(short events) {
    std::uint32_t out = 0;
    if ((events & POLLIN) != 0) out |= EPOLLIN;
    if ((events & POLLOUT) != 0) out |= EPOLLOUT;
    return out;
}

}  // namespace

BusPump::BusPump(EventLoop& loop, sdbus::IConnection& connection, EventLoop::Callback on_lost)
    : loop_(loop), connection_(connection), bus_(bus::raw_bus(connection)), on_lost_(std::move(on_lost)) {
    const auto poll = bus::poll_wish(connection_);
    fd_ = poll.fd;
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
    const std::uint64_t waiting = queued();
    if (waiting > 0) watch_for_stall();
    const bool takes_in = waiting <= most_queued;
    ::sd_event_source_set_io_events(io_.raw(), takes_in ? to_epoll(poll.events) : EPOLLOUT);
    if (!takes_in || poll.until_usec == UINT64_MAX) {
        ::sd_event_source_set_enabled(timer_.raw(), SD_EVENT_OFF);
    } else {
        ::sd_event_source_set_time(timer_.raw(), poll.until_usec);
        ::sd_event_source_set_enabled(timer_.raw(), SD_EVENT_ONESHOT);
    }
}

void BusPump::process() {
    if (lost_) return;
    const auto end = std::chrono::steady_clock::now() + slice;
    try {
        while (!is_full() && bus::process_one(connection_) && std::chrono::steady_clock::now() < end) {
        }
    } catch (const sdbus::Error&) {
        lose();
    }
}

std::uint64_t BusPump::queued() const {
    std::uint64_t count = 0;
    return ::sd_bus_get_n_queued_write(bus_, &count) < 0 ? 0 : count;
}

// As sd-bus sends what waits before it reads, it may go on where something can be sent.
bool BusPump::is_full() const {
    if (queued() <= most_queued) return false;
    pollfd socket{.fd = fd_, .events = POLLOUT, .revents = 0};
    return ::poll(&socket, 1, 0) == 0;
}

void BusPump::watch_for_stall() {
    if (stall_) return;
    looks_in_vain_ = 0;
    bytes_in_socket_ = -1;
    stall_ = loop_.add_deadline(look_usec, [this] { look_for_progress(); });
}

// A socket becomes writable only when most of it has been taken; each byte that was is progress.
void BusPump::look_for_progress() {
    stall_.reset();
    if (lost_ || queued() == 0) return;
    int bytes = 0;
    if (::ioctl(fd_, SIOCOUTQ, &bytes) < 0) bytes = -1;
    const bool is_in_vain = bytes > 0 && bytes == bytes_in_socket_;
    looks_in_vain_ = is_in_vain ? looks_in_vain_ + 1 : 0;
    bytes_in_socket_ = bytes;
    if (looks_in_vain_ >= most_looks_in_vain) return lose();
    stall_ = loop_.add_deadline(look_usec, [this] { look_for_progress(); });
}

void BusPump::lose() {
    lost_ = true;
    ::sd_event_source_set_enabled(io_.raw(), SD_EVENT_OFF);
    if (wake_) ::sd_event_source_set_enabled(wake_.raw(), SD_EVENT_OFF);
    ::sd_event_source_set_enabled(timer_.raw(), SD_EVENT_OFF);
    on_lost_();
}

}  // namespace cxlmemd
