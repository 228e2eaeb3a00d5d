// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/text.h"

namespace cxlmemctl {
namespace {

constexpr std::size_t comment_width = 110;

bool is_daxctl(std::string_view name, std::string_view text) {
    if (name.ends_with(".rules")) return false;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = trimmed(text.substr(0, end));
        if (!line.empty() && line.front() != '#' && line.front() != ';') return line.front() == '[';
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    // The example that daxctl installs has nothing but comments.
    return name.find("daxctl") != std::string_view::npos;
}

bool is_tmpfiles(std::string_view name, std::string_view text) {
    if (name.ends_with(".rules")) return false;
    const std::size_t at = text.find("/auto_online_blocks");
    if (at == std::string_view::npos) return false;
    const std::size_t line = text.rfind('\n', at);
    const std::string_view first = trimmed(text.substr(line == std::string_view::npos ? 0 : line + 1));
    return first.starts_with('w') || first.starts_with('f');
}

std::string comment(const std::string& text) {
    std::string out;
    std::string line = "#";
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        if (line.size() + 1 + end > comment_width && line.size() > 1) {
            out += line + "\n";
            line = "#";
        }
        line += fmt::format(" {}", rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out + line + "\n";
}

// Names are unique over all files of a policy; here at least over this one.
std::string unique(const std::string& wanted, std::set<std::string>& taken) {
    std::string name = wanted;
    for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}-{}", wanted, i);
    return name;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string toml_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : escape(text)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

std::string zone_of_state(std::string_view state, std::vector<std::string>& notes) {
    if (state == "online_movable") return "movable";
    if (state == "online_kernel") return "kernel";
    if (state != "online") return {};
    notes.emplace_back(
        "\"online\" leaves the zone to the kernel: that is kernel memory, unless the command line has "
        "movable_node or "
        "memory_hotplug.online_policy=auto-movable. Write zone = \"movable\" if it does, or if cards are to "
        "be "
        "drained.");
    return "kernel";
}

std::string online_in(std::string_view zone) {
    return fmt::format(R"(mode = "system-ram", zone = "{}", on_conflict = "keep")", zone);
}

Imported import_text(const std::string& name, std::string_view text) {
    if (is_daxctl(base_name(name), text)) return import_daxctl(name, text);
    return is_tmpfiles(base_name(name), text) ? import_tmpfiles(name, text) : import_udev(name, text);
}

std::string policy_text(const std::string& name, const Imported& imported) {
    std::string out =
        comment("What " + escape(name) + " does, as policy of cxlmemd: made by cxlmemctl import.");
    for (const std::string& note : imported.notes) out += comment(escape(note));
    std::set<std::string> taken;
    for (const ImportedRule& rule : imported.rules) {
        out += "\n";
        for (const std::string& note : rule.notes) out += comment(escape(note));
        const char* mark = rule.is_ready ? "" : "#";
        out += fmt::format("{0}[[rule]]\n{0}name = {1}\n", mark, toml_string(unique(rule.name, taken)));
        if (!rule.match.empty()) out += fmt::format("{}match = {{ {} }}\n", mark, rule.match);
        out += fmt::format("{}memory = {{ {} }}\n", mark, rule.memory);
    }
    return out;
}

}  // namespace cxlmemctl
