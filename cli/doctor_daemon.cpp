// SPDX-License-Identifier: LGPL-2.1-or-later
// The daemon: whether it runs, what is in force, and what has become of its rules.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/doctor_checks.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

void unreachable(const Facts& facts, Answer& answer) {
    if (!facts.daemon) add_seen(answer, "", facts.daemon.error());
}

void observes(const Facts& facts, Answer& answer) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon != nullptr && text_of(daemon->manager, "Mode") != "enforce")
        add_seen(answer, "", fmt::format("its mode is '{}'", text_of(daemon->manager, "Mode")));
}

void problems(const Facts& facts, Answer& answer) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon == nullptr) return;
    for (const json& problem : list_of(daemon->manager, "PolicyProblems")) {
        add_seen(answer, "",
                 fmt::format("{}:{}:{}: {}: {}", text_of(problem, "file"), number_of(problem, "line"),
                             number_of(problem, "column"), text_of(problem, "severity"),
                             text_of(problem, "message")));
    }
}

void pending(const Facts& facts, Answer& answer) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon != nullptr && flag_of(daemon->manager, "PolicyPending"))
        add_seen(answer, "", "files were edited since the policy was put in force, and are valid");
}

void quiet(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto text = text_of_file(host->settings, answer);
    const std::string level = text ? settings_of(*text).log_level : std::string{};
    if (level == "error" || level == "warning")
        add_seen(answer, host->settings_path, fmt::format("{}: level = \"{}\"", host->settings_path, level));
}

bool is_enabled(const HostFacts& host, std::string_view unit) {
    return std::find(host.enabled->begin(), host.enabled->end(), unit) != host.enabled->end();
}

void enabled(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    if (!host->enabled) {
        answer.unknown.push_back(host->enabled.error());
    } else if (!is_enabled(*host, "cxlmemd.service")) {
        add_seen(answer, "", "no *.wants folder of systemd has cxlmemd.service");
    }
}

void early(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto text = text_of_file(host->settings, answer);
    if (!text || !settings_of(*text).manages) return;
    if (!host->enabled) {
        answer.unknown.push_back(host->enabled.error());
    } else if (!is_enabled(*host, "cxlmemd-early.service")) {
        add_seen(answer, "",
                 host->settings_path +
                     " manages auto_online, and no *.wants folder of systemd has "
                     "cxlmemd-early.service");
    }
}

// Calls `visit` for each dax device.
template <class Visit>
void each_dax(const Facts& facts, Answer& answer, Visit visit) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon == nullptr) return;
    for (const Object& object : daemon->objects) {
        if (object.kind == Kind::dax) visit(*daemon, object);
    }
}

void no_rule(const Facts& facts, Answer& answer) {
    each_dax(facts, answer, [&](const DaemonFacts&, const Object& dax) {
        if (text_of(dax.properties, "Rule").empty())
            add_seen(answer, dax.name,
                     fmt::format("{}: {}, mode {}, no rule", dax.name, text_of(dax.properties, "Kind"),
                                 text_of(dax.properties, "Mode")));
    });
}

void held(const Facts& facts, Answer& answer) {
    each_dax(facts, answer, [&](const DaemonFacts&, const Object& dax) {
        if (flag_of(dax.properties, "Held"))
            add_seen(answer, dax.name,
                     fmt::format("{}: held; {}", dax.name, text_of(dax.properties, "Reason")));
    });
}

void not_in_policy(const Facts& facts, Answer& answer) {
    each_dax(facts, answer, [&](const DaemonFacts& daemon, const Object& dax) {
        // What a job is at is not amiss yet.
        if (flag_of(dax.properties, "InPolicy") || flag_of(dax.properties, "Held") ||
            text_of(daemon.manager, "State") == "working")
            return;
        const auto& error = dax.properties.contains("LastError") ? dax.properties["LastError"] : json();
        const std::string last = text_of(error, "message");
        add_seen(answer, dax.name,
                 fmt::format("{}: {}", dax.name, last.empty() ? text_of(dax.properties, "Reason") : last));
    });
}

constexpr std::array all_daemon_checks = {
    Check{"daemon-unreachable", unreachable},
    Check{"daemon-observes", observes},
    Check{"policy-problems", problems},
    Check{"policy-pending", pending},
    Check{"settings-quiet", quiet},
    Check{"not-enabled", enabled},
    Check{"early-not-enabled", early},
    Check{"no-rule", no_rule},
    Check{"held", held},
    Check{"not-in-policy", not_in_policy},
};

}  // namespace

std::span<const Check> daemon_checks() {
    return all_daemon_checks;
}

}  // namespace cxlmemctl
