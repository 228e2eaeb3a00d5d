// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/event_loop.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

namespace cxlmemd {

struct EventLoop::Source::Impl {
    EventLoop* loop = nullptr;
    sd_event_source* source = nullptr;
    Callback callback;
    Callback prepare;
    std::optional<std::multimap<std::uint64_t, Impl*>::iterator> deadline;

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (deadline) loop->deadlines_.erase(*deadline);
        if (source == nullptr) return;
        ::sd_event_source_set_enabled(source, SD_EVENT_OFF);
        ::sd_event_source_unref(source);
    }
};

namespace {

// A delay from a caller may be anything up to "for ever"; sd-event refuses what overflows its clock.
constexpr std::uint64_t longest_delay_usec = 100ULL * 366 * 24 * 3600 * 1'000'000;

void check(int r, const char* what) {
    if (r < 0) throw std::system_error{-r, std::system_category(), what};
}

}  // namespace

sd_event_source* EventLoop::Source::raw() const {
    return impl_->source;
}

void EventLoop::Source::set_enabled(bool on) {
    check(::sd_event_source_set_enabled(impl_->source, on ? SD_EVENT_ON : SD_EVENT_OFF),
          "sd_event_source_set_enabled");
}

EventLoop::EventLoop() {
    check(::sd_event_new(&event_), "sd_event_new");
}

EventLoop::~EventLoop() {
    ::sd_event_unref(event_);
}

int EventLoop::run() {
    int r = 0;
    while (r >= 0 && ::sd_event_get_state(event_) != SD_EVENT_FINISHED) {
        r = ::sd_event_run(event_, until_deadline());
        if (!deadlines_.empty()) meet_deadlines();
    }
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    check(r, "sd_event_run");
    check(::sd_event_get_exit_code(event_, &r), "sd_event_get_exit_code");
    return r;
}

std::uint64_t EventLoop::now_usec() const {
    std::uint64_t usec = 0;
    check(::sd_event_now(event_, CLOCK_MONOTONIC, &usec), "sd_event_now");
    return usec;
}

std::uint64_t EventLoop::until_deadline() const {
    if (deadlines_.empty()) return UINT64_MAX;
    const std::uint64_t now = now_usec();
    return deadlines_.begin()->first > now ? deadlines_.begin()->first - now : 0;
}

void EventLoop::meet_deadlines() {
    const std::uint64_t now = now_usec();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        Source::Impl& impl = *deadlines_.begin()->second;
        deadlines_.erase(deadlines_.begin());
        impl.deadline.reset();
        const Callback held = impl.callback;
        guarded(this, held);
    }
}

void EventLoop::exit(int code) {
    ::sd_event_exit(event_, code);
}

// Nothing may unwind through sd-event, which is C: run() throws it instead.
int EventLoop::guarded(EventLoop* loop, const Callback& callback) {
    try {
        callback();
    } catch (...) {
        loop->thrown_ = std::current_exception();
        ::sd_event_exit(loop->event_, 1);
    }
    return 0;
}

EventLoop::Source EventLoop::make() {
    Source source;
    source.impl_ = std::make_shared<Source::Impl>();
    source.impl_->loop = this;
    return source;
}

// Handlers copy the callback before they run it, so that it may destroy its own source.
EventLoop::Source EventLoop::add_io(int fd, std::uint32_t events, Callback callback, int priority) {
    Source source = make();
    source.impl_->callback = std::move(callback);
    const auto handler = [](sd_event_source*, int, std::uint32_t, void* data) {
        auto& impl = *static_cast<Source::Impl*>(data);
        const Callback held = impl.callback;
        return guarded(impl.loop, held);
    };
    check(::sd_event_add_io(event_, &source.impl_->source, fd, events, handler, source.impl_.get()),
          "sd_event_add_io");
    check(::sd_event_source_set_priority(source.impl_->source, priority), "sd_event_source_set_priority");
    return source;
}

EventLoop::Source EventLoop::add_deadline(std::uint64_t delay_usec, Callback callback) {
    Source source = make();
    source.impl_->callback = std::move(callback);
    source.impl_->deadline =
        deadlines_.emplace(now_usec() + std::min(delay_usec, longest_delay_usec), source.impl_.get());
    return source;
}

EventLoop::Source EventLoop::add_timer(std::uint64_t delay_usec, Callback callback) {
    delay_usec = std::min(delay_usec, longest_delay_usec);
    Source source = make();
    source.impl_->callback = std::move(callback);
    const auto handler = [](sd_event_source*, std::uint64_t, void* data) {
        auto& impl = *static_cast<Source::Impl*>(data);
        const Callback held = impl.callback;
        return guarded(impl.loop, held);
    };
    check(::sd_event_add_time_relative(event_, &source.impl_->source, CLOCK_MONOTONIC, delay_usec, 1000,
                                       handler, source.impl_.get()),
          "sd_event_add_time_relative");
    return source;
}

EventLoop::Source EventLoop::add_signal(int signal, Callback callback) {
    Source source = make();
    source.impl_->callback = std::move(callback);
    const auto handler = [](sd_event_source*, const struct signalfd_siginfo*, void* data) {
        auto& impl = *static_cast<Source::Impl*>(data);
        const Callback held = impl.callback;
        return guarded(impl.loop, held);
    };
    check(::sd_event_add_signal(event_, &source.impl_->source, signal, handler, source.impl_.get()),
          "sd_event_add_signal");
    return source;
}

EventLoop::Source EventLoop::add_deferred(Callback callback) {
    Source source = make();
    source.impl_->callback = std::move(callback);
    const auto handler = [](sd_event_source*, void* data) {
        auto& impl = *static_cast<Source::Impl*>(data);
        const Callback held = impl.callback;
        return guarded(impl.loop, held);
    };
    check(::sd_event_add_defer(event_, &source.impl_->source, handler, source.impl_.get()),
          "sd_event_add_defer");
    check(::sd_event_source_set_priority(source.impl_->source, 10), "sd_event_source_set_priority");
    return source;
}

void EventLoop::set_prepare(const Source& source, Callback callback) {
    source.impl_->prepare = std::move(callback);
    const auto handler = [](sd_event_source*, void* data) {
        auto& impl = *static_cast<Source::Impl*>(data);
        return guarded(impl.loop, impl.prepare);
    };
    check(::sd_event_source_set_prepare(source.impl_->source, handler), "sd_event_source_set_prepare");
}

}  // namespace cxlmemd
