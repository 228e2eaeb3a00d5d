// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/callers.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cxlmemd::bus {

namespace {

constexpr const char* broker = "org.freedesktop.DBus";
constexpr const char* broker_path = "/org/freedesktop/DBus";

// Nothing may unwind through sd-bus.
template <class Work>
int contained(Work&& work) noexcept {
    try {
        work();
        return 0;
    } catch (...) {
        return -ENOMEM;
    }
}

bool is_error(sd_bus_message* message) {
    return ::sd_bus_message_is_method_error(message, nullptr) > 0;
}

}  // namespace

Callers::Callers(sdbus::IConnection& connection, Left left, IsAwaited is_awaited)
    : bus_(raw_bus(connection)), left_(std::move(left)), is_awaited_(std::move(is_awaited)) {}

Callers::Asked Callers::uid_of(const std::string& sender, Then then) {
    auto found = callers_.find(sender);
    if (found == callers_.end()) {
        if (!make_room()) return Asked::too_many;
        auto caller = std::make_unique<Caller>(Caller{.owner = *this, .sender = sender});
        if (!begin_to_ask(*caller)) {
            then(std::nullopt);
            return Asked::yes;
        }
        found = callers_.emplace(sender, std::move(caller)).first;
    }
    Caller& caller = *found->second;
    caller.last_used = ++uses_;
    if (caller.uid) {
        then(caller.uid);
        return Asked::yes;
    }
    if (caller.waiting.size() >= most_waiting_of_caller || waiting_ >= most_waiting) return Asked::too_many;
    caller.waiting.push_back(std::move(then));
    ++waiting_;
    return Asked::yes;
}

bool Callers::make_room() {
    if (callers_.size() < most_callers) return true;
    auto oldest = callers_.end();
    for (auto it = callers_.begin(); it != callers_.end(); ++it) {
        if (!it->second->uid || is_awaited_(it->first)) continue;
        if (oldest == callers_.end() || it->second->last_used < oldest->second->last_used) oldest = it;
    }
    if (oldest == callers_.end()) return false;
    callers_.erase(oldest);
    return true;
}

// The broker has the watch before it is asked for the uid: a caller that leaves at any moment is noticed, and
// of one that left before there is no uid.
bool Callers::begin_to_ask(Caller& caller) {
    const std::string rule = std::string{"type='signal',sender='"} + broker + "',interface='" + broker +
                             "',member='NameOwnerChanged',arg0='" + caller.sender + "',arg2=''";
    sd_bus_slot* watch = nullptr;
    if (::sd_bus_add_match_async(bus_, &watch, rule.c_str(), on_left, on_watched, &caller) < 0) return false;
    caller.watch.reset(watch);
    sd_bus_slot* question = nullptr;
    if (::sd_bus_call_method_async(bus_, &question, broker, broker_path, broker, "GetConnectionUnixUser",
                                   on_uid, &caller, "s", caller.sender.c_str()) < 0) {
        return false;
    }
    caller.question.reset(question);
    return true;
}

void Callers::answer(Caller& caller, std::optional<std::uint32_t> uid) {
    if (uid) {
        caller.uid = uid;
        return run(std::exchange(caller.waiting, {}), uid);
    }
    const auto node = callers_.extract(caller.sender);
    run(std::exchange(node.mapped()->waiting, {}), std::nullopt);
}

void Callers::run(std::vector<Then> waiting, std::optional<std::uint32_t> uid) {
    waiting_ -= waiting.size();
    for (const Then& then : waiting) then(uid);
}

void Callers::forget(const std::string& sender) {
    const auto node = callers_.extract(sender);
    if (node.empty()) return;
    run(std::exchange(node.mapped()->waiting, {}), std::nullopt);
    left_(sender);
}

int Callers::on_left(sd_bus_message*, void* userdata, sd_bus_error*) noexcept {
    return contained([&] {
        Caller& caller = *static_cast<Caller*>(userdata);
        const std::string sender = caller.sender;  // the caller does not outlive this
        caller.owner.forget(sender);
    });
}

// Nobody could be told that such a caller leaves.
int Callers::on_watched(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    return contained([&] {
        Caller& caller = *static_cast<Caller*>(userdata);
        if (!is_error(message)) return;
        const std::string sender = caller.sender;
        caller.owner.forget(sender);
    });
}

int Callers::on_uid(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    return contained([&] {
        Caller& caller = *static_cast<Caller*>(userdata);
        std::uint32_t uid = 0;
        const bool is_told =
            !is_error(message) && ::sd_bus_message_read_basic(message, SD_BUS_TYPE_UINT32, &uid) > 0;
        caller.owner.answer(caller, is_told ? std::optional{uid} : std::nullopt);
    });
}

}  // namespace cxlmemd::bus
