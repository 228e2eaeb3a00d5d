// SPDX-License-Identifier: LGPL-2.1-or-later
// polkit, the bus and the journal.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "cli/doctor_checks.h"
#include "cli/import.h"
#include "cli/units.h"

namespace cxlmemctl {
namespace {

void polkit(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    // Without polkit root alone may, which is as it should be.
    if (!text_of_file(host->polkit, answer)) return;
    const auto actions = text_of_file(host->polkit_actions, answer);
    if (!actions && host->polkit_actions)
        add_seen(answer, "", "polkit is installed, and org.cxlmemd1.policy is not there");
}

void bus_policy(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto policy = text_of_file(host->bus_policy, answer);
    if (!policy && host->bus_policy)
        add_seen(answer, "",
                 "neither /etc/dbus-1/system.d nor /usr/share/dbus-1/system.d has org.cxlmemd1.conf");
}

std::string without_comments(std::string text) {
    for (std::size_t at = 0; (at = text.find("<!--", at)) != std::string::npos;) {
        const std::size_t end = text.find("-->", at);
        text.erase(at, end == std::string::npos ? end : end + 3 - at);
    }
    return text;
}

// What the daemon keeps unread for a caller, and more than a list of all objects was seen to take.
constexpr std::uint64_t bus_need = 8U << 20U;

struct Limit {
    std::uint64_t value = 0;
    std::string path;
};

// <limit name="max_message_size">33554432</limit>; of two the later one counts.
void read_limits(const ConfigFile& file, std::map<std::string, Limit>& limits) {
    const std::string text = without_comments(file.text);
    constexpr std::string_view tag = "<limit";
    for (std::size_t at = 0; (at = text.find(tag, at)) != std::string::npos; at += tag.size()) {
        const std::size_t name = text.find('"', at);
        const std::size_t value = text.find('>', at);
        if (name == std::string::npos || value == std::string::npos || value < name) continue;
        const std::string key = text.substr(name + 1, text.find('"', name + 1) - name - 1);
        const std::string_view digits = trimmed(std::string_view{text}.substr(value + 1));
        Limit limit{0, file.path};
        const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), limit.value);
        if (end.ec == std::errc{}) limits[key] = limit;
    }
}

void bus_limits(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->bus.unread, answer);
    std::map<std::string, Limit> limits;
    for (const ConfigFile& file : host->bus.files) read_limits(file, limits);
    for (const char* key : {"max_message_size", "max_incoming_bytes", "max_outgoing_bytes"}) {
        const auto limit = limits.find(key);
        if (limit != limits.end() && limit->second.value < bus_need)
            add_seen(answer, "",
                     fmt::format("{}: {} is {}", limit->second.path, key, format_bytes(limit->second.value)));
    }
}

struct Setting {
    std::string value;
    std::string place;  // "/etc/systemd/journald.conf:5"
};

// Bytes of "64M"; a percentage or nothing that counts as a number: nullopt.
std::optional<std::uint64_t> journal_size(const std::string& text) {
    std::uint64_t number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec != std::errc{}) return std::nullopt;
    const std::string_view unit(end.ptr, static_cast<std::size_t>(text.data() + text.size() - end.ptr));
    constexpr std::array<std::pair<std::string_view, unsigned>, 5> units = {
        {{"", 0}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}}};
    for (const auto& [letter, bits] : units) {
        if (unit == letter) return number << bits;
    }
    return std::nullopt;
}

// A job of a thousand blocks and a reboot's worth of decisions.
constexpr std::uint64_t journal_burst = 1000;
constexpr std::uint64_t journal_bytes = 16U << 20U;

void journal(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->journald.unread, answer);
    std::map<std::string, Setting> settings;
    for (const ConfigFile& file : host->journald.files) {
        each_line(file.text, [&](std::size_t number, std::string_view line) {
            const std::size_t equals = line.find('=');
            if (line.starts_with('#') || line.starts_with(';') || equals == std::string_view::npos) return;
            settings[std::string(trimmed(line.substr(0, equals)))] = {
                std::string(trimmed(line.substr(equals + 1))), fmt::format("{}:{}", file.path, number)};
        });
    }
    const auto say = [&](const std::string& key) {
        add_seen(answer, "", fmt::format("{}: {}={}", settings[key].place, key, settings[key].value));
    };
    if (settings["Storage"].value == "none") say("Storage");
    const auto burst = journal_size(settings["RateLimitBurst"].value);
    const std::string& interval = settings["RateLimitIntervalSec"].value;
    if (burst && *burst > 0 && *burst < journal_burst && interval != "0") say("RateLimitBurst");
    for (const char* key : {"SystemMaxUse", "RuntimeMaxUse"}) {
        const auto size = journal_size(settings[key].value);
        if (size && *size < journal_bytes) say(key);
    }
    for (const char* key : {"MaxLevelStore"}) {
        const std::string& level = settings[key].value;
        for (const char* high : {"emerg", "alert", "crit", "err", "warning", "0", "1", "2", "3", "4"}) {
            if (level == high) say(key);
        }
    }
}

constexpr std::array all_system_checks = {
    Check{"polkit-actions", polkit},
    Check{"bus-policy", bus_policy},
    Check{"bus-limits", bus_limits},
    Check{"journal-limits", journal},
};

}  // namespace

std::span<const Check> system_checks() {
    return all_system_checks;
}

}  // namespace cxlmemctl
