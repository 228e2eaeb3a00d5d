// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/polkit.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace cxlmemd::bus {

namespace {

constexpr const char* service = "org.freedesktop.PolicyKit1";
constexpr const char* path = "/org/freedesktop/PolicyKit1/Authority";
constexpr const char* interface = "org.freedesktop.PolicyKit1.Authority";
constexpr std::uint32_t allow_user_interaction = 1;

// What a bus says of a service that is not there and cannot be started.
constexpr std::array<std::string_view, 8> says_absent{
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.Spawn.ServiceNotFound",
    "org.freedesktop.DBus.Error.Spawn.ExecFailed",
    "org.freedesktop.DBus.Error.Spawn.ChildExited",
    "org.freedesktop.DBus.Error.Spawn.Failed",
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
};

using CheckResult = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;

Verdict verdict_of_error(const sdbus::Error& error) {
    const std::string name{error.getName()};
    const Answer answer =
        std::ranges::find(says_absent, name) != says_absent.end() ? Answer::absent : Answer::failed;
    return {.answer = answer, .text = error.getMessage().empty() ? name : error.getMessage()};
}

Verdict verdict_of(sdbus::MethodReply& reply, const sdbus::Error* error) {
    if (error != nullptr) return verdict_of_error(*error);
    if (RawMessage{reply}.signature() != "(bba{ss})")
        return {.answer = Answer::failed, .text = "its answer makes no sense"};
    CheckResult result;
    reply >> result;
    const bool authorized = result.get<0>();
    const bool challenge = result.get<1>();
    if (authorized) return {.answer = Answer::yes};
    if (result.get<2>().contains("polkit.dismissed")) return {.answer = Answer::dismissed};
    return {.answer = challenge ? Answer::challenge : Answer::no};
}

// Unique for this connection, which is all that polkit asks for.
std::string cancellation_id(std::uint64_t id) {
    return "cxlmemd-" + std::to_string(id);
}

}  // namespace

Polkit::Polkit(sdbus::IConnection& connection) : authority_(make_proxy(connection, service, path)) {}

void Polkit::ask(std::uint64_t id, const Question& question, Done done) {
    auto call = make_call(*authority_, interface, "CheckAuthorization");
    using Subject = sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>>;
    call << Subject{"system-bus-name", {{"name", sdbus::Variant{question.sender}}}} << question.action
         << question.details << (question.interactive ? allow_user_interaction : std::uint32_t{0})
         << cancellation_id(id);
    const auto take = [this, id, done = std::move(done)](sdbus::MethodReply& reply,
                                                         const sdbus::Error* error) {
        if (pending_.erase(id) == 0) return;  // canceled
        Verdict verdict;
        try {
            verdict = verdict_of(reply, error);
        } catch (const sdbus::Error& e) {
            verdict = {.answer = Answer::failed, .text = e.getMessage()};
        }
        done(std::move(verdict));
    };
    pending_.emplace(id, call_async(*authority_, call, take));
}

void Polkit::cancel(std::uint64_t id) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    found->second.cancel();
    pending_.erase(found);
    try {
        auto call = make_call(*authority_, interface, "CancelCheckAuthorization");
        call << cancellation_id(id);
        call.dontExpectReply();
        authority_->callMethod(call);
    } catch (const sdbus::Error&) {
        // The bus is gone, and with it the question: polkit sees its asker leave.
    }
}

}  // namespace cxlmemd::bus
