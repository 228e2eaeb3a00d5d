// SPDX-License-Identifier: LGPL-2.1-or-later
// What doctor found, as text, as JSON, and its table as a page.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cli/doctor.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

constexpr std::size_t most_lines = 8;  // of what was seen of one row

std::string_view word_of(Severity severity) {
    return severity == Severity::error ? "error" : "warning";
}

// "Label: words", folded under the words.
std::string folded(std::string_view label, const std::string& text, std::size_t columns) {
    const std::size_t indent = width(label);
    std::string out(label);
    std::size_t at = indent;
    bool first = true;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string word = text.substr(begin, end - begin);
        begin = end + 1;
        if (word.empty()) continue;
        if (!first && at + 1 + width(word) > columns) {
            out += "\n" + std::string(indent, ' ');
            at = indent;
            first = true;
        }
        out += (first ? "" : " ") + word;
        at += width(word) + (first ? 0 : 1);
        first = false;
    }
    return out + "\n";
}

std::string finding_text(const Answer& answer, std::size_t columns, const Paint& paint) {
    const Severity severity = answer.row->severity;
    std::string out = folded(paint(colour_of(word_of(severity)), word_of(severity)) + ": ",
                             fmt::format("{} [{}]", plain(answer.row->symptom), answer.row->id), columns);
    for (std::size_t i = 0; i < answer.seen.size() && i < most_lines; ++i)
        out += folded(i == 0 ? "  Seen:  " : "         ", escape(answer.seen[i]), columns);
    if (answer.seen.size() > most_lines)
        out += fmt::format("         and {} more\n", answer.seen.size() - most_lines);
    for (const std::string& reason : answer.unknown)
        out += folded("         ", "(not all could be read: " + escape(reason) + ")", columns);
    out += folded("  Why:   ", plain(answer.row->why), columns);
    return out + folded("  Next:  ", escape(answer.next_step()), columns) + "\n";
}

// Rows by why nothing can be said of them: many have the same reason.
std::string unknown_text(const Report& report, std::size_t columns, const Paint& paint) {
    std::vector<std::pair<std::string, std::string>> by_reason;  // reasons, ids
    for (const Answer& answer : report) {
        if (!answer.is_unknown()) continue;
        std::vector<std::string> reasons = answer.unknown;
        if (reasons.size() > most_lines) {
            const std::size_t more = reasons.size() - most_lines;
            reasons.resize(most_lines);
            reasons.push_back(fmt::format("and {} more", more));
        }
        std::string reason = fmt::format("{}", fmt::join(reasons, "; "));
        const auto found = std::find_if(by_reason.begin(), by_reason.end(),
                                        [&](const auto& each) { return each.first == reason; });
        if (found == by_reason.end()) {
            by_reason.emplace_back(std::move(reason), answer.row->id);
        } else {
            found->second += fmt::format(", {}", answer.row->id);
        }
    }
    if (by_reason.empty()) return {};
    std::string out = paint(Colour::yellow, "Cannot tell:") + "\n";
    for (const auto& [reason, ids] : by_reason) {
        out += folded("  ", ids, columns);
        out += folded("    ", escape(reason), columns);
    }
    return out + "\n";
}

std::string_view title_of(Area area) {
    switch (area) {
        case Area::daemon: return "The daemon and its policy";
        case Area::online: return "Others that act on memory";
        case Area::kernel: return "The kernel and its drivers";
        case Area::boot: return "Boot parameters";
        case Area::hardware: return "Cards, windows and nodes";
        case Area::memory: return "Memory";
        case Area::system: return "polkit, D-Bus and the journal";
    }
    return {};
}

// Text for Markdown: what looks like a tag or emphasis is not, but in what is typed.
std::string markdown(std::string_view text) {
    std::string out;
    bool typed = false;
    for (const char c : text) {
        if (c == '`') typed = !typed;
        if (!typed && (c == '<' || c == '*' || c == '_' || c == '[')) out += '\\';
        out += c;
    }
    return out;
}

constexpr std::size_t page_columns = 110;

}  // namespace

std::string report_text(const Report& report, std::size_t columns, const Paint& paint) {
    std::string out;
    std::size_t findings = 0, unknown = 0;
    for (const Severity severity : {Severity::error, Severity::warning}) {
        for (const Answer& answer : report) {
            if (!answer.is_finding() || answer.row->severity != severity) continue;
            out += finding_text(answer, columns, paint);
            ++findings;
        }
    }
    for (const Answer& answer : report) unknown += answer.is_unknown() ? 1 : 0;
    out += unknown_text(report, columns, paint);
    const std::size_t fine = report.size() - findings - unknown;
    const std::string sum = fmt::format("{} checks: {} fine, {} finding{}, {} cannot tell", report.size(),
                                        fine, findings, findings == 1 ? "" : "s", unknown);
    return out + paint(findings + unknown == 0 ? Colour::green : Colour::bold, sum) + "\n";
}

json report_json(const Report& report, bool daemon_is_there) {
    json findings = json::array();
    json unknown = json::array();
    json fine = json::array();
    for (const Answer& answer : report) {
        const Row& row = *answer.row;
        if (answer.is_finding()) {
            findings.push_back({{"Id", row.id},
                                {"Severity", word_of(row.severity)},
                                {"Symptom", plain(row.symptom)},
                                {"Seen", answer.seen},
                                {"Unread", answer.unknown},
                                {"Why", plain(row.why)},
                                {"Next", answer.next_step()}});
        } else if (answer.is_unknown()) {
            unknown.push_back({{"Id", row.id}, {"Symptom", plain(row.symptom)}, {"Unread", answer.unknown}});
        } else {
            fine.push_back(row.id);
        }
    }
    return {{"Daemon", daemon_is_there}, {"Findings", findings}, {"CannotTell", unknown}, {"Fine", fine}};
}

std::string troubleshooting_page() {
    std::string out =
        "# Troubleshooting\n\n"
        "<!-- Made by: cxlmemctl doctor --page. The table is in cli/doctor_table.cpp. -->\n\n";
    out += folded(
        "",
        "By symptom. `cxlmemctl doctor` looks for all of these at once, and prints with each what it saw "
        "here; the word in brackets is what it calls it (`Id` with `--json`). NAME stands for the object "
        "or file that it names.",
        page_columns);
    const Row* before = nullptr;
    for (const Row& row : doctor_rows()) {
        if (before == nullptr || before->area != row.area)
            out += fmt::format("\n## {}\n", title_of(row.area));
        before = &row;
        out += fmt::format("\n### {}\n\n", markdown(row.symptom));
        out += folded("", fmt::format("{} \\[`{}`, {}\\]", markdown(row.why), row.id, word_of(row.severity)),
                      page_columns);
        out += "\n" +
               folded("", "**Next:** " + markdown(with_subject(std::string(row.next), "NAME")), page_columns);
    }
    return out;
}

}  // namespace cxlmemctl
