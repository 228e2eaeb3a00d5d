// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/failure.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace cxlmemctl {
namespace {

constexpr std::string_view not_running = "the daemon is not running; start it with: systemctl start cxlmemd";

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

constexpr std::array<std::string_view, 3> nobody_there = {
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.systemd1.NoSuchUnit",
};
constexpr std::array<std::string_view, 8> lost = {
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.Disconnected",
    "org.freedesktop.DBus.Error.NoServer",
    "org.freedesktop.DBus.Error.TimedOut",
    "org.freedesktop.DBus.Error.Timeout",
    "System.Error.ECONNRESET",
    "System.Error.ENOTCONN",
    "System.Error.ETIMEDOUT",
};
constexpr std::array<std::string_view, 3> refused = {
    "org.cxlmemd1.Error.NotAuthorized",
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
};

// The daemon's own word for a time limit; the bus's are those of a daemon that does not answer.
constexpr std::string_view timed_out = "org.cxlmemd1.Error.TimedOut";

std::string_view next_step(const std::string& name) {
    struct Step {
        std::string_view error;  // the last part of its name
        std::string_view text;
    };
    constexpr std::array<Step, 10> steps = {{
        {"NotFound", "see: cxlmemctl list"},
        {"UnknownObject", "see: cxlmemctl list"},
        {"Busy", "see: cxlmemctl list jobs"},
        {"InvalidPolicy", "see: cxlmemctl check"},
        {"InvalidArgument", "see: cxlmemctl --help"},
        {"InvalidArgs", "see: cxlmemctl --help"},
        {"NotSupported", "what this kernel can do: cxlmemctl status"},
        {"TimedOut", "see: cxlmemctl status; --timeout gives it longer"},
        {"NotAuthorized", "run it as root, or as who polkit allows it; see cxlmemctl(1)"},
        {"AccessDenied", "run it as root, or as who polkit allows it; see cxlmemctl(1)"},
    }};
    const std::string_view last = std::string_view{name}.substr(name.rfind('.') + 1);
    for (const Step& step : steps) {
        if (step.error == last) return step.text;
    }
    return "see: cxlmemctl status, journalctl -u cxlmemd";
}

}  // namespace

bool says_what_to_do(const std::string& text) {
    const auto& words = {"cxlmemctl", "systemctl", "journalctl", "see ", "see:", "reboot"};
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return text.find(word) != std::string::npos; });
}

std::string with_next_step(const std::string& error_name, std::string text) {
    if (!says_what_to_do(text)) text += "; " + std::string{next_step(error_name)};
    return text;
}

bool is_unknown_object(const std::string& name) {
    return name == "org.freedesktop.DBus.Error.UnknownObject" ||
           name == "org.freedesktop.DBus.Error.UnknownInterface" ||
           name == "org.freedesktop.DBus.Error.UnknownMethod";
}

Failure failure_of_dbus(const std::string& name, const std::string& message) {
    if (contains(nobody_there, name)) return {Exit::unreachable, std::string(not_running)};
    if (contains(lost, name)) {
        return {Exit::unreachable, "the daemon does not answer: " + (message.empty() ? name : message) +
                                       "; see: systemctl status cxlmemd"};
    }
    const std::string text = with_next_step(name, message.empty() ? name : message);
    if (name == timed_out) return {Exit::timed_out, text};
    return {contains(refused, name) ? Exit::not_authorized : Exit::failed, text};
}

Exit exit_of_result(const std::string& result, const std::string& error_name) {
    if (result == "done") return Exit::done;
    if (result == "partial") return Exit::partial;
    if (result == "timeout") return Exit::timed_out;
    return contains(refused, error_name) ? Exit::not_authorized : Exit::failed;
}

Exit combine(Exit a, Exit b) {
    for (const Exit strong : {Exit::interrupted, Exit::unreachable, Exit::not_authorized}) {
        if (a == strong || b == strong) return strong;
    }
    return a == b ? a : Exit::partial;
}

}  // namespace cxlmemctl
