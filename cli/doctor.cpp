// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/doctor.h"

#include <algorithm>
#include <array>

#include "cli/doctor_checks.h"
#include "cli/import.h"

namespace cxlmemctl {

std::string Answer::next_step() const {
    if (!next.empty()) return next;
    return with_subject(plain(row->next), subject.empty() ? "NAME" : subject);
}

std::string with_subject(std::string text, const std::string& subject) {
    const std::string whole = shell_word(subject);
    const std::string base = shell_word(std::string(base_name(subject)));
    for (const auto& [mark, word] :
         {std::pair<std::string_view, std::string_view>{"{}", whole}, {"{base}", base}}) {
        for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += word.size())
            text.replace(at, mark.size(), word);
    }
    return text;
}

std::string shell_word(const std::string& text) {
    constexpr std::string_view harmless =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._:@%+=,-";
    if (!text.empty() && text.front() != '-' && text.find_first_not_of(harmless) == std::string::npos)
        return text;
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string plain(std::string_view text) {
    std::string out(text);
    std::erase(out, '`');
    return out;
}

Report examine(const Facts& facts) {
    Report report;
    for (const Row& row : doctor_rows()) {
        Answer answer;
        answer.row = &row;
        bool is_checked = false;
        for (const auto& checks :
             {daemon_checks(), hardware_checks(), kernel_checks(), online_checks(), system_checks()}) {
            for (const Check& check : checks) {
                if (check.id != row.id) continue;
                check.look(facts, answer);
                is_checked = true;
            }
        }
        if (!is_checked) answer.unknown.emplace_back("this cxlmemctl has no check for it");
        report.push_back(std::move(answer));
    }
    return report;
}

Exit exit_of_report(const Report& report) {
    if (std::any_of(report.begin(), report.end(), [](const Answer& each) { return each.is_finding(); }))
        return Exit::failed;
    const bool all_known =
        std::none_of(report.begin(), report.end(), [](const Answer& each) { return each.is_unknown(); });
    return all_known && !report.empty() ? Exit::done : Exit::partial;
}

void add_seen(Answer& answer, const std::string& subject, std::string text) {
    if (answer.seen.empty()) answer.subject = subject;
    answer.seen.push_back(std::move(text));
}

const DaemonFacts* daemon_of(const Facts& facts, Answer& answer) {
    if (facts.daemon) return &*facts.daemon;
    answer.unknown.emplace_back("only the daemon knows, and it does not answer");
    return nullptr;
}

const HostFacts* host_of(const Facts& facts, Answer& answer) {
    if (facts.host) return &*facts.host;
    answer.unknown.push_back(facts.host.error());
    return nullptr;
}

std::optional<std::string> text_of_file(const FileRead& file, Answer& answer) {
    if (file) return *file;
    answer.unknown.push_back(file.error());
    return std::nullopt;
}

void add_unread(const std::vector<std::string>& unread, Answer& answer) {
    answer.unknown.insert(answer.unknown.end(), unread.begin(), unread.end());
}

void add_conflicts(const Facts& facts, std::string_view kind, Answer& answer,
                   const std::function<bool(const std::string& message)>& wanted) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon == nullptr) return;
    for (const nlohmann::json& conflict : list_of(daemon->manager, "Conflicts")) {
        const std::string message = text_of(conflict, "message");
        if (text_of(conflict, "kind") == kind && (!wanted || wanted(message))) add_seen(answer, "", message);
    }
}

std::string line_of(std::string_view text) {
    return std::string(trimmed(text.substr(0, text.find('\n'))));
}

void each_line(std::string_view text,
               const std::function<void(std::size_t number, std::string_view line)>& visit) {
    std::string joined;
    std::size_t begin = 0;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (joined.empty()) begin = number;
        joined += line;
        if (joined.ends_with('\\') && !text.empty()) {
            joined.back() = ' ';
            continue;
        }
        visit(begin, joined);
        joined.clear();
    }
}

std::vector<Parameter> parameters_of(std::string_view command_line) {
    std::vector<Parameter> out;
    std::string word;
    bool quoted = false;
    const auto take = [&] {
        if (word.empty()) return true;
        if (word == "--") return false;
        const std::size_t equals = std::min(word.find('='), word.size());
        Parameter parameter{word.substr(0, equals), word.substr(std::min(equals + 1, word.size()))};
        std::replace(parameter.name.begin(), parameter.name.end(), '-', '_');
        out.push_back(std::move(parameter));
        word.clear();
        return true;
    };
    for (const char c : command_line) {
        if (c == '"') quoted = !quoted;
        const bool blank = c == ' ' || c == '\n' || c == '\t';
        if (blank && !quoted) {
            if (!take()) return out;
        } else if (c != '"') {
            word += c;
        }
    }
    take();
    return out;
}

// Line by line: the parser that reads it for the daemon is not safe on what is no TOML.
DaemonSettings settings_of(const std::string& text) {
    DaemonSettings out;
    std::string section;
    each_line(text, [&](std::size_t, std::string_view line) {
        if (line.starts_with('[')) section = line.substr(0, line.find(']'));
        const std::size_t equals = line.find('=');
        if (line.starts_with('#') || equals == std::string_view::npos) return;
        const std::string_view key = trimmed(line.substr(0, equals));
        std::string_view value = trimmed(line.substr(equals + 1));
        if (value.empty() || (value.front() != '"' && value.front() != '\'')) return;
        value = value.substr(1, value.find(value.front(), 1) - 1);
        if (section.empty() && key == "auto_online") out.manages = value == "manage";
        if ((section == "[log" && key == "level") || (section.empty() && key == "log.level"))
            out.log_level = value;
    });
    return out;
}

}  // namespace cxlmemctl
