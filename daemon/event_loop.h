// SPDX-License-Identifier: LGPL-2.1-or-later
// sd-event with RAII handles. One loop, one thread; only run() may be called where exceptions fly.
#pragma once

#include <systemd/sd-event.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>

namespace cxlmemd {

class EventLoop final {
 public:
    using Callback = std::function<void()>;

    // A registration. Destroying or reset()ing it ends it; its callback never runs afterwards.
    class Source final {
     public:
        Source() = default;
        void reset() { impl_.reset(); }
        explicit operator bool() const { return impl_ != nullptr; }
        // Off: what it waits for may come, and is told when it is on again.
        void set_enabled(bool on);
        [[nodiscard]] sd_event_source* raw() const;

     private:
        friend class EventLoop;
        struct Impl;
        std::shared_ptr<Impl> impl_;
    };

    EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop();

    // Runs until exit(). Returns its code; rethrows what a callback threw.
    int run();
    void exit(int code);

    // `priority`: lower runs first, 0 is normal.
    [[nodiscard]] Source add_io(int fd, std::uint32_t events, Callback callback, int priority = 0);
    // Once, `delay_usec` from now (CLOCK_MONOTONIC).
    [[nodiscard]] Source add_timer(std::uint64_t delay_usec, Callback callback);
    // The same, for what hardly ever comes to pass: to set it and to take it back costs no system call.
    [[nodiscard]] Source add_deadline(std::uint64_t delay_usec, Callback callback);
    // The signal must be blocked in every thread.
    [[nodiscard]] Source add_signal(int signal, Callback callback);
    // Once, in this turn of the loop, after everything that is pending now.
    [[nodiscard]] Source add_deferred(Callback callback);

    // Before every poll: `callback` may change the source it belongs to.
    void set_prepare(const Source& source, Callback callback);

    // CLOCK_MONOTONIC, when this turn of the loop began.
    [[nodiscard]] std::uint64_t now_usec() const;

    [[nodiscard]] sd_event* raw() const { return event_; }

 private:
    static int guarded(EventLoop* loop, const Callback& callback);
    Source make();
    [[nodiscard]] std::uint64_t until_deadline() const;
    void meet_deadlines();

    sd_event* event_ = nullptr;
    std::multimap<std::uint64_t, Source::Impl*> deadlines_;
    std::exception_ptr thrown_;
};

}  // namespace cxlmemd
