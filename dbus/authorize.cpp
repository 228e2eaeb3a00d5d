// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/authorize.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace cxlmemd::bus {

namespace {

Error unknown_caller(const std::string& object, const std::string& operation) {
    return {.code = ErrorCode::not_authorized,
            .object = object,
            .operation = operation,
            .reason = "the bus does not say who the caller is"};
}

Error too_many_callers(const std::string& object, const std::string& operation) {
    return {.code = ErrorCode::busy,
            .object = object,
            .operation = operation,
            .reason = "too many callers wait for the bus to say who they are",
            .advice = "try again"};
}

}  // namespace

bool is_trusted(std::uint32_t uid) {
    return uid == 0 || uid == ::geteuid();
}

// A call on its way through all the rights that it takes.
struct Authority::Asking {
    Call call;
    Question question;                   // but for the action
    std::vector<std::string> granted{};  // actions
    Then then;
};

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
        {"org.cxlmemd1.DaxDevice", "Addresses", Right::read_addresses},
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
        case Right::read_addresses: return "org.cxlmemd1.read-addresses";
    }
    return {};
}

Authority::Authority(sdbus::IConnection& connection, StartTimer start_timer)
    : polkit_(connection),
      questions_(polkit_, std::move(start_timer)),
      callers_(
          connection, [this](const std::string& sender) { questions_.sender_vanished(sender); },
          [this](const std::string& sender) { return questions_.has_open(sender); }) {}

void Authority::authorize(const sdbus::Message& message, Call call, Then then) {
    const auto& table = method_rights();
    const auto entry = std::ranges::find_if(table, [&](const MethodRight& r) {
        return r.interface == call.interface && r.method == call.method;
    });
    const std::string operation{call.method};
    if (entry == table.end()) {
        return then(fail({.code = ErrorCode::not_authorized,
                          .object = call.object,
                          .operation = operation,
                          .reason = "not authorised"}));
    }
    const auto asking =
        std::make_shared<Asking>(Asking{.call = std::move(call),
                                        .question = {.sender = message.getSender(),
                                                     .details = {{"device", {}}, {"operation", operation}},
                                                     .interactive = RawMessage{message}.allows_interaction()},
                                        .then = std::move(then)});
    asking->question.details["device"] = asking->call.object;
    const auto known = [this, asking, right = entry->right](std::optional<std::uint32_t> uid) {
        if (!uid)
            return asking->then(fail(unknown_caller(asking->call.object, std::string{asking->call.method})));
        asking->question.uid = *uid;
        if (right != Right::read) asking->question.action = action_of(right);
        ask(asking);
    };
    if (callers_.uid_of(asking->question.sender, known) == Callers::Asked::too_many) {
        asking->then(fail(too_many_callers(asking->call.object, operation)));
    }
}

// Asks for the right that `question.action` names, if it does, then for the next one that is missing.
void Authority::ask(const std::shared_ptr<Asking>& asking) {
    const std::string operation{asking->call.method};
    if (closed_) {
        return asking->then(fail({.code = ErrorCode::canceled,
                                  .object = asking->call.object,
                                  .operation = operation,
                                  .reason = "the daemon stops"}));
    }
    if (is_trusted(asking->question.uid)) return asking->then(asking->question.uid);
    if (asking->question.action.empty()) {
        const std::vector<Right> needed = asking->call.more ? asking->call.more() : std::vector<Right>{};
        const auto missing = std::ranges::find_if(needed, [&](Right right) {
            return right != Right::read &&
                   std::ranges::find(asking->granted, action_of(right)) == asking->granted.end();
        });
        if (missing == needed.end()) return asking->then(asking->question.uid);
        asking->question.action = action_of(*missing);
    }
    questions_.ask(asking->question, asking->call.object, operation, [this, asking](Result<> answer) {
        if (!answer) return asking->then(fail(answer.error()));
        asking->granted.push_back(std::exchange(asking->question.action, {}));
        ask(asking);
    });
}

void Authority::require_root(sd_bus_message* message, const std::string& operation,
                             std::function<void(Result<>)> then) {
    const char* sender = ::sd_bus_message_get_sender(message);
    const auto known = [operation, then](std::optional<std::uint32_t> uid) {
        if (!uid) return then(fail(unknown_caller({}, operation)));
        if (is_trusted(*uid)) return then({});
        then(fail({.code = ErrorCode::not_authorized,
                   .operation = operation,
                   .reason = "uid " + std::to_string(*uid) + " is not authorised",
                   .advice = "call it as root"}));
    };
    if (callers_.uid_of(sender != nullptr ? sender : "", known) == Callers::Asked::too_many) {
        then(fail(too_many_callers({}, operation)));
    }
}

void Authority::close() {
    closed_ = true;
    questions_.close();
}

}  // namespace cxlmemd::bus
