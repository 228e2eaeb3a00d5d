#include "dbus/authorize.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace cxlmemd::bus {

namespace {

constexpr const char* broker = "org.freedesktop.DBus";

// By what the broker says of the sender.
bool is_trusted(std::uint32_t uid) {
    return uid == 0 || uid == ::geteuid();
}

}  // namespace

const std::vector<MethodRight>& method_rights() {
    static const std::vector<MethodRight> table{
        {"org.cxlmemd1.Manager", "Reload", Right::manage_policy},
        {"org.cxlmemd1.Manager", "CheckPolicy", Right::read},
        {"org.cxlmemd1.Manager", "EffectivePolicy", Right::read},
        {"org.cxlmemd1.Manager", "Plan", Right::read},
        {"org.cxlmemd1.Manager", "Apply", Right::manage_policy},
        {"org.cxlmemd1.Manager", "Explain", Right::read},
        {"org.cxlmemd1.Manager", "Record", Right::read},
        {"org.cxlmemd1.DaxDevice", "Online", Right::online},
        {"org.cxlmemd1.DaxDevice", "Offline", Right::offline},
        {"org.cxlmemd1.DaxDevice", "SetMode", Right::set_mode},
        {"org.cxlmemd1.DaxDevice", "Hold", Right::manage_policy},
        {"org.cxlmemd1.DaxDevice", "Release", Right::manage_policy},
        {"org.cxlmemd1.Region", "Remove", Right::provision},
        {"org.cxlmemd1.Region", "Release", Right::manage_policy},
        {"org.cxlmemd1.Memdev", "PrepareRemove", Right::provision},
        {"org.cxlmemd1.Memdev", "Release", Right::manage_policy},
        {"org.cxlmemd1.Job", "Cancel", Right::manage_policy},
        {"org.cxlmemd1.Emulator", "Inject", Right::provision},
    };
    return table;
}

std::string action_of(Right right) {
    switch (right) {
        case Right::read: return {};
        case Right::online: return "org.cxlmemd1.online";
        case Right::offline: return "org.cxlmemd1.offline";
        case Right::set_mode: return "org.cxlmemd1.set-mode";
        case Right::provision: return "org.cxlmemd1.provision";
        case Right::manage_policy: return "org.cxlmemd1.manage-policy";
    }
    return {};
}

Result<> require_root(const sdbus::Message& message, const std::string& operation) {
    const std::uint32_t uid = message.getCredsEuid();
    if (is_trusted(uid)) return {};
    return fail({.code = ErrorCode::not_authorized,
                 .operation = operation,
                 .reason = "uid " + std::to_string(uid) + " is not authorised",
                 .advice = "call it as root"});
}

Authority::Authority(sdbus::IConnection& connection, StartTimer start_timer)
    : connection_(connection),
      start_timer_(start_timer),
      polkit_(connection),
      questions_(polkit_, std::move(start_timer)),
      broker_(make_proxy(connection, broker, "/org/freedesktop/DBus")) {}

void Authority::authorize(const sdbus::Message& message, const Call& call, Then then) {
    const auto& table = method_rights();
    const auto entry = std::ranges::find_if(table, [&](const MethodRight& r) {
        return r.interface == call.interface && r.method == call.method;
    });
    Error denied{.code = ErrorCode::not_authorized,
                 .object = call.object,
                 .operation = std::string{call.method},
                 .reason = "not authorised"};
    if (entry == table.end()) return then(fail(std::move(denied)));
    if (closed_) {
        denied.code = ErrorCode::canceled;
        denied.reason = "the daemon stops";
        return then(fail(std::move(denied)));
    }

    const std::uint32_t uid = message.getCredsEuid();
    if (entry->right == Right::read || is_trusted(uid)) return then(uid);

    Question question{.sender = message.getSender(),
                      .uid = uid,
                      .action = action_of(entry->right),
                      .details = {{"device", call.object}, {"operation", std::string{call.method}}},
                      .interactive = RawMessage{message}.allows_interaction()};
    if (!questions_.is_too_many(question)) watch_senders(question.sender);
    questions_.ask(std::move(question), call.object, std::string{call.method},
                   [this, uid, then = std::move(then)](Result<> answer) {
                       stop_watching_when_done();
                       if (!answer) return then(fail(answer.error()));
                       then(uid);
                   });
}

void Authority::close() {
    closed_ = true;
    questions_.close();
}

// The broker tells of callers that leave, but only while one is waited for. It has the watch before it is
// asked whether this caller is still there, and both before polkit gets the question: a caller that leaves
// at any moment is noticed.
void Authority::watch_senders(const std::string& sender) {
    if (vanished_ == nullptr) {
        const std::string rule = std::string{"type='signal',sender='"} + broker + "',interface='" + broker +
                                 "',member='NameOwnerChanged',arg2=''";
        vanished_ = add_match(connection_, rule, [this](auto&& message) {
            if (RawMessage{message}.signature() != "sss") return;
            std::string name;
            message >> name;
            vanish(name);
        });
    }
    auto call = make_call(*broker_, broker, "NameHasOwner");
    call << sender;
    call_async(*broker_, call, [this, sender](sdbus::MethodReply& reply, const sdbus::Error* error) {
        bool is_there = error == nullptr && RawMessage{reply}.signature() == "b";
        if (is_there) reply >> is_there;
        if (!is_there) vanish(sender);
    });
}

void Authority::vanish(const std::string& sender) {
    questions_.sender_vanished(sender);
    stop_watching_when_done();
}

// Not from inside the watch's own handler.
void Authority::stop_watching_when_done() {
    if (questions_.any_open() || vanished_ == nullptr || unwatch_ != nullptr) return;
    unwatch_ = start_timer_(0, [this] {
        const Timer over = std::move(unwatch_);
        if (!questions_.any_open()) vanished_.reset();
    });
}

}  // namespace cxlmemd::bus
