// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/unread.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dbus/authorize.h"

namespace cxlmemd::bus {

namespace {

constexpr const char* broker = "org.freedesktop.DBus";
constexpr const char* broker_path = "/org/freedesktop/DBus";
constexpr std::size_t refusal_bytes = 512;

bool is_error(sd_bus_message* message, const char* name = nullptr) {
    return ::sd_bus_message_is_method_error(message, name) > 0;
}

// The broker has no such method, or not for us.
bool is_not_told(sd_bus_message* message) {
    for (const char* name :
         {"UnknownMethod", "UnknownInterface", "UnknownObject", "NotSupported", "AccessDenied"}) {
        if (is_error(message, (std::string{"org.freedesktop.DBus.Error."} + name).c_str())) return true;
    }
    return false;
}

// OutgoingBytes of a{sv}, if it is that.
std::optional<std::size_t> outgoing_bytes(sd_bus_message* message) {
    if (is_error(message)) return std::nullopt;
    if (::sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}") < 0) return std::nullopt;
    while (::sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
        const char* key = nullptr;
        if (::sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, static_cast<void*>(&key)) <= 0) break;
        if (std::strcmp(key, "OutgoingBytes") == 0) {
            std::uint32_t bytes = 0;
            if (::sd_bus_message_read(message, "v", "u", &bytes) <= 0) break;
            return bytes;
        }
        if (::sd_bus_message_skip(message, "v") < 0) break;
        if (::sd_bus_message_exit_container(message) < 0) break;
    }
    return std::nullopt;
}

}  // namespace

Unread::Unread(sdbus::IConnection& connection, UnreadLimits limits)
    : bus_(raw_bus(connection)), limits_(limits) {}

Unread::Verdict Unread::admit(const std::string& sender, std::size_t bytes) {
    if (!broker_tells_ || sender.empty()) return Verdict::answer;
    Caller& caller = caller_of(sender);
    caller.last_used = ++uses_;
    if (is_too_much(caller, bytes)) return refuse(caller);
    caller.since += bytes;
    if (caller.since >= limits_.worth_asking) ask(caller);
    return Verdict::answer;
}

Unread::Caller& Unread::caller_of(const std::string& sender) {
    const auto found = callers_.find(sender);
    if (found != callers_.end()) return *found->second;
    if (callers_.size() >= limits_.callers) {
        // Whoever has least unread, for it is the least mistake; of those the one that was silent for
        // longest.
        const auto least = std::ranges::min_element(callers_, {}, [](const auto& entry) {
            return std::pair{entry.second->unread(), entry.second->last_used};
        });
        callers_.erase(least);
    }
    auto caller = std::make_unique<Caller>(Caller{.owner = *this, .sender = sender});
    return *callers_.emplace(sender, std::move(caller)).first->second;
}

bool Unread::is_too_much(const Caller& caller, std::size_t bytes) const {
    if (caller.unread() >= limits_.of_caller) return true;
    if (bytes <= limits_.small || is_of_root(caller)) return false;
    const std::size_t all = total(std::nullopt);
    // Somebody new may have a first answer, while there is room at all.
    if (caller.unread() == 0) return all >= limits_.all + limits_.all / 4;
    return all >= limits_.all || (caller.uid && total(caller.uid) >= limits_.of_user);
}

bool Unread::is_of_root(const Caller& caller) {
    return caller.uid && is_trusted(*caller.uid);
}

std::size_t Unread::total(std::optional<std::uint32_t> uid) const {
    std::size_t bytes = 0;
    for (const auto& [name, caller] : callers_) {
        if (!is_of_root(*caller) && (!uid || caller->uid == uid)) bytes += caller->unread();
    }
    return bytes;
}

// Refusals are answers as well. A call that gets none stays open in the broker, which grants a connection 128
// of them: then it is the broker that refuses.
Unread::Verdict Unread::refuse(Caller& caller) {
    ask(caller);
    ask_about_everybody();
    const bool others_wait = caller.unread() >= limits_.worth_asking && !is_of_root(caller) &&
                             total(std::nullopt) >= limits_.all + limits_.all / 4;
    if (others_wait || caller.unread() >= 2 * limits_.of_caller) return Verdict::ignore;
    caller.since += refusal_bytes;
    return Verdict::refuse;
}

void Unread::ask_about_everybody() {
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ < limits_.look_again) return;
    looked_ = now;
    for (const auto& [name, caller] : callers_) {
        if (caller->unread() >= limits_.worth_asking) ask(*caller);
    }
}

// The broker takes what we send in order: what the answer says comes after all that was sent before.
void Unread::ask(Caller& caller) {
    if (caller.question != nullptr) return;
    sd_bus_slot* slot = nullptr;
    if (::sd_bus_call_method_async(bus_, &slot, broker, broker_path, "org.freedesktop.DBus.Debug.Stats",
                                   "GetConnectionStats", on_stats, &caller, "s", caller.sender.c_str()) < 0) {
        return;  // the connection is breaking
    }
    caller.question.reset(slot);
    caller.in_question = std::exchange(caller.since, 0);
    if (caller.uid || caller.who != nullptr) return;
    if (::sd_bus_call_method_async(bus_, &slot, broker, broker_path, broker, "GetConnectionUnixUser", on_uid,
                                   &caller, "s", caller.sender.c_str()) >= 0) {
        caller.who.reset(slot);
    }
}

void Unread::take_answer(Caller& caller, sd_bus_message* message) {
    if (is_error(message, "org.freedesktop.DBus.Error.NameHasNoOwner")) {
        callers_.erase(std::string{caller.sender});
        return;
    }
    const std::optional<std::size_t> bytes = outgoing_bytes(message);
    if (is_not_told(message) || (!is_error(message) && !bytes)) {
        broker_tells_ = false;
        callers_.clear();
        return;
    }
    caller.question.reset();
    const std::size_t asked_about = std::exchange(caller.in_question, 0);
    // Not known this time: as much as there may be.
    caller.told = bytes.value_or(caller.told + asked_about);
}

// sd-bus keeps the slot that it is calling by itself, so that it may be dropped in here.
int Unread::on_stats(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    try {
        Caller& caller = *static_cast<Caller*>(userdata);
        caller.owner.take_answer(caller, message);
        return 0;
    } catch (...) {
        return -ENOMEM;
    }
}

int Unread::on_uid(sd_bus_message* message, void* userdata, sd_bus_error*) noexcept {
    Caller& caller = *static_cast<Caller*>(userdata);
    std::uint32_t uid = 0;
    if (!is_error(message) && ::sd_bus_message_read_basic(message, SD_BUS_TYPE_UINT32, &uid) > 0) {
        caller.uid = uid;
    }
    return 0;
}

}  // namespace cxlmemd::bus
