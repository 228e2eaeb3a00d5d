// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the daemon on the bus: connects, registers everything, takes the name; and again, after a growing
// pause, whenever the bus is lost (it restarts, it goes, it throws us off).
//
// The bus is a view: policy and jobs go on without one, and nothing here waits for it once the loop runs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "daemon/bus_connection.h"
#include "daemon/bus_session.h"
#include "daemon/event_loop.h"
#include "daemon/worker.h"

namespace cxlmemd {

// Loop thread.
class BusLink final {
 public:
    // A hostile message may throw us off again and again: only what lasted so long ends the growing.
    static constexpr std::uint64_t first_pause_usec = 100'000;
    static constexpr std::uint64_t longest_pause_usec = 10'000'000;
    static constexpr std::uint64_t lasting_usec = 10'000'000;
    // How long a start waits for a bus that does not answer.
    static constexpr std::uint64_t patience_usec = 5'000'000;

    // `bus` as --bus takes it. Tries to connect at once.
    BusLink(std::string bus, Worker& worker, BusContent content);
    BusLink(const BusLink&) = delete;
    BusLink& operator=(const BusLink&) = delete;

    // Everything that is to be seen can be: takes the name, now and with each connection that follows. `then`
    // runs once, when the name is ours, or there is no bus to be had at present. Throws out of the loop, on
    // the first time only, if another process has the name or the bus policy keeps it from us.
    void take_name(std::function<void()> then);

    // The daemon stops: what waits for polkit ends as canceled, and nothing is tried any more.
    void close();

 private:
    void connect();
    void connected(std::shared_ptr<sdbus::IConnection> connection, const std::string& error);
    void request_name();
    void name_answered(const Result<>& outcome);
    void lost(const std::string& why);
    void drop_session();
    void try_again();
    void go_on();

    const std::string bus_;
    Worker& worker_;
    const BusContent content_;
    bool may_take_name_ = false;
    bool had_name_ = false;
    bool is_missed_ = false;  // it was said that the bus is not there
    bool closed_ = false;
    std::uint64_t pause_usec_ = first_pause_usec;
    std::uint64_t connected_at_usec_ = 0;
    std::function<void()> then_;
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<BusSession> session_;
    EventLoop::Source pause_;
    EventLoop::Source patience_;
    EventLoop::Source losing_;
    EventLoop::Source refusing_;
    // Of sessions that have ended, oldest first, and when each can go.
    std::deque<std::shared_ptr<sdbus::IConnection>> old_;
    std::deque<EventLoop::Source> burials_;
};

}  // namespace cxlmemd
