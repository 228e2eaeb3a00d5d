// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/bus_link.h"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "dbus/names.h"

namespace cxlmemd {

namespace {

// Replies that the worker still works on refer to their connection; so long, and until it has come past them.
constexpr std::uint64_t outlive_usec = 15'000'000;

}  // namespace

BusLink::BusLink(std::string bus, Worker& worker, BusContent content)
    : bus_(std::move(bus)), worker_(worker), content_(std::move(content)) {
    connect();
    if (connecting_ != nullptr) connecting_->wait(patience_usec);
}

void BusLink::connect() {
    try {
        connecting_ = std::make_unique<Connecting>(
            content_.loop, bus_,
            [this](std::shared_ptr<sdbus::IConnection> connection, const std::string& error) {
                connected(std::move(connection), error);
            });
    } catch (const std::system_error& failed) {
        lost(std::string{"cannot connect to the bus: "} + failed.what());
    }
}

void BusLink::connected(std::shared_ptr<sdbus::IConnection> connection, const std::string& error) {
    if (closed_ || session_ != nullptr) return;
    if (connection == nullptr) return lost("cannot connect to the bus: " + error);
    connected_at_usec_ = content_.loop.now_usec();
    try {
        session_ = std::make_unique<BusSession>(std::move(connection), content_, [this] {
            // Not from inside what has found out, which is the session's own.
            losing_ = content_.loop.add_deferred([this] { lost("the bus is gone"); });
        });
    } catch (const sdbus::Error& failed) {
        return lost(std::string{"cannot send on the bus: "} + failed.what());
    }
    if (may_take_name_) request_name();
}

void BusLink::take_name(std::function<void()> then) {
    may_take_name_ = true;
    then_ = std::move(then);
    patience_ = content_.loop.add_timer(patience_usec, [this] { go_on(); });
    if (session_ != nullptr) request_name();
    if (is_missed_) go_on();
}

void BusLink::request_name() {
    session_->take_name([this](const Result<>& outcome) { name_answered(outcome); });
}

void BusLink::name_answered(const Result<>& outcome) {
    if (outcome) {
        if (std::exchange(is_missed_, false)) {
            content_.log.write(message::bus_back, LogLevel::notice, "on the bus again");
        }
        had_name_ = true;
        return go_on();
    }
    // Its callers do not let anything be thrown, nor the session be destroyed.
    refusing_ = content_.loop.add_deferred([this, error = outcome.error()] {
        if (closed_) return;
        const bool is_refused = error.code == ErrorCode::busy || error.code == ErrorCode::not_authorized;
        if (is_refused && !had_name_ && then_) throw std::runtime_error{error.text()};
        lost(error.text());
    });
}

// It may be asked for what is lost already: then somebody has found out twice.
void BusLink::lost(const std::string& why) {
    if (closed_) return;
    if (!std::exchange(is_missed_, true)) {
        content_.log.write(message::bus_lost, LogLevel::error,
                           why + "; policy and jobs go on, and it is tried again");
    }
    drop_session();
    try_again();
    go_on();
}

void BusLink::drop_session() {
    losing_.reset();
    refusing_.reset();
    if (session_ == nullptr) return;
    if (content_.loop.now_usec() - connected_at_usec_ >= lasting_usec) pause_usec_ = first_pause_usec;
    old_.push_back(session_->connection());
    session_.reset();
    worker_.submit([this](Backend&) -> Worker::Completion {
        return [this] {
            burials_.push_back(content_.loop.add_timer(outlive_usec, [this] {
                old_.pop_front();
                burials_.pop_front();
            }));
        };
    });
}

void BusLink::try_again() {
    pause_ = content_.loop.add_timer(pause_usec_, [this] { connect(); });
    pause_usec_ = std::min(pause_usec_ * 2, longest_pause_usec);
}

void BusLink::go_on() {
    if (!may_take_name_) return;
    patience_.reset();
    if (const auto then = std::exchange(then_, {})) then();
}

void BusLink::close() {
    closed_ = true;
    pause_.reset();
    connecting_.reset();
    if (session_ != nullptr) session_->close();
}

}  // namespace cxlmemd
