// SPDX-License-Identifier: LGPL-2.1-or-later
// daxctl.conf.d, as daxctl-reconfigure-device(1) has it: the sections are [reconfigure-device NAME].
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "cli/import.h"

namespace cxlmemctl {
namespace {

struct Section {
    std::string title;  // "reconfigure-device", in small letters
    std::string name;
    std::size_t line = 0;
    std::map<std::string, std::string> values;  // of keys in small letters; the last one counts
};

std::string small(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

std::string_view without_quotes(std::string_view value) {
    if (value.size() >= 2 && value.front() == value.back() &&
        (value.front() == '"' || value.front() == '\'')) {
        return value.substr(1, value.size() - 2);
    }
    const std::size_t comment = value.find_first_of(";#");
    return trimmed(value.substr(0, comment));
}

// As iniparser: case does not count in sections and keys, comments begin with # or ;.
std::vector<Section> sections_of(std::string_view text, std::vector<std::string>& notes) {
    std::vector<Section> out;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        if (line.front() == '[' && line.find(']') != std::string_view::npos) {
            const std::string_view inside = trimmed(line.substr(1, line.find(']') - 1));
            const std::size_t blank = std::min(inside.find_first_of(" \t"), inside.size());
            Section section;
            section.title = small(inside.substr(0, blank));
            section.name = without_quotes(trimmed(inside.substr(blank)));
            section.line = number;
            out.push_back(section);
            continue;
        }
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || out.empty()) {
            notes.push_back(fmt::format("Line {} is not understood: {}", number, line));
            continue;
        }
        out.back().values[small(trimmed(line.substr(0, equals)))] =
            without_quotes(trimmed(line.substr(equals + 1)));
    }
    return out;
}

std::optional<std::string> take(Section& section, const char* key) {
    const auto found = section.values.find(key);
    if (found == section.values.end()) return std::nullopt;
    std::string value = found->second;
    section.values.erase(found);
    return value;
}

// As iniparser reads a boolean.
bool flag(Section& section, const char* key, bool otherwise, std::vector<std::string>& notes) {
    const auto value = take(section, key);
    if (!value || value->empty()) return otherwise;
    constexpr std::string_view yes = "yYtT1";
    constexpr std::string_view no = "nNfF0";
    if (yes.find(value->front()) != std::string_view::npos) return true;
    if (no.find(value->front()) != std::string_view::npos) return false;
    notes.push_back(fmt::format("{} = {} is neither true nor false; taken as {}.", key, *value, otherwise));
    return otherwise;
}

std::string memory_of(Section& section, ImportedRule& rule) {
    const std::string mode = take(section, "mode").value_or("");
    const bool online = flag(section, "online", true, rule.notes);
    const bool movable = flag(section, "movable", true, rule.notes);
    if (mode == "system-ram") {
        if (online) return online_in(movable ? "movable" : "kernel");
        rule.notes.emplace_back(
            "online = false leaves it to others to bring the memory online; with amount = \"none\" it stays "
            "offline.");
        return fmt::format(R"(mode = "system-ram", zone = "{}", amount = "none")",
                           movable ? "movable" : "kernel");
    }
    if (mode == "devdax" || mode == "famfs") return fmt::format("mode = \"{}\"", mode);
    rule.notes.push_back(mode.empty() ? "It has no mode: daxctl does nothing with such a section."
                                      : fmt::format("mode = {} is not a mode of a policy.", mode));
    rule.is_ready = false;
    return R"(mode = "ignore")";
}

bool is_uuid(std::string_view text) {
    constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    return text.size() == form.size() &&
           std::equal(text.begin(), text.end(), form.begin(), [](char c, char wanted) {
               return wanted == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
           });
}

ImportedRule rule_of(Section section) {
    ImportedRule rule;
    rule.name = section.name.empty() ? fmt::format("daxctl-{}", section.line) : section.name;
    rule.notes.push_back(fmt::format("Line {}: [{} {}]", section.line, section.title, section.name));
    rule.memory = memory_of(section, rule);
    if (const auto uuid = take(section, "nvdimm.uuid"); uuid && is_uuid(*uuid)) {
        rule.match = fmt::format("nvdimm_uuid = \"{}\"", *uuid);
    } else {
        rule.match = R"(nvdimm_uuid = "00000000-0000-0000-0000-000000000000")";
        rule.is_ready = false;
        rule.notes.push_back(
            uuid ? fmt::format("nvdimm.uuid = {} is not a UUID.", *uuid)
                 : "It has no nvdimm.uuid, so that it is about no device: daxctl ignores it.");
    }
    for (const auto& [key, value] : section.values) {
        rule.notes.push_back(fmt::format("{} = {} is left out: it is not known here.", key, value));
    }
    return rule;
}

}  // namespace

Imported import_daxctl(const std::string& /*name*/, std::string_view text) {
    Imported out;
    for (Section& section : sections_of(text, out.notes)) {
        if (section.title == "reconfigure-device") {
            out.rules.push_back(rule_of(std::move(section)));
        } else {
            out.notes.push_back(
                fmt::format("Line {}: [{}] is left out: it is not about the mode of a dax device.",
                            section.line, section.title));
        }
    }
    if (!out.rules.empty()) {
        out.notes.emplace_back(
            "daxctl acts once, when a device appears (90-daxctl-device.rules); keep its configuration away "
            "from what "
            "these rules match: the daemon calls it a competitor as long as it is there.");
    }
    return out;
}

}  // namespace cxlmemctl
