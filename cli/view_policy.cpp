// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "cli/table.h"
#include "cli/units.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

std::string place(const json& decision) {
    const std::string file = text_of(decision, "file");
    if (file.empty()) return {};
    const auto line = number_of(decision, "line");
    return line == 0 ? file : fmt::format("{}:{}", file, line);
}

void add_list(Table& table, const char* title, const json& list) {
    std::string label = title;
    for (const json& element : list) {
        table.add({"", label, value_view("", element)});
        label.clear();
    }
}

// What is not known is said in a clause of its own.
std::string seen_view(const std::string& seen) {
    const char* before = seen.starts_with("the kernel reports none") ? "; " : ", it is ";
    return before + escape(seen);
}

}  // namespace

std::string rule_view(const json& decision) {
    const std::string rule = text_of(decision, "rule");
    if (rule.empty()) return {};
    const std::string where = place(decision);
    return escape(where.empty() ? rule : fmt::format("{} ({})", rule, where));
}

std::string step_view(const json& step) {
    std::string out = escape(text_of(step, "action"));
    if (const auto mode = text_of(step, "mode"); !mode.empty()) out += " " + escape(mode);
    const auto blocks = number_of(step, "blocks");
    if (blocks > 0) {
        out += fmt::format(" {} block{} ({})", blocks, blocks == 1 ? "" : "s",
                           format_bytes(number_of(step, "bytes")));
    }
    const std::string zone = text_of(step, "zone");
    if (!zone.empty() && zone != "none") out += " in " + escape(zone);
    return out;
}

std::string plan_view(const json& plan, const Paint& paint) {
    if (plan.empty()) return "nothing to do\n";
    Table table({{"OBJECT"},
                 {"ACTION"},
                 {"ZONE"},
                 {"BLOCKS", Align::right},
                 {"SIZE", Align::right},
                 {"RULE"},
                 {"REASON"}});
    for (const json& step : plan) {
        const std::string action = text_of(step, "action");
        const auto blocks = number_of(step, "blocks");
        const auto bytes = number_of(step, "bytes");
        table.add({escape(name_of_path(text_of(step, "Object"))), paint(colour_of(action), escape(action)),
                   escape(text_of(step, "zone")), blocks == 0 ? "" : fmt::format("{}", blocks),
                   bytes == 0 ? "" : format_bytes(bytes), rule_view(step), escape(text_of(step, "reason"))});
    }
    return table.text(true, paint.columns());
}

std::string explain_view(const std::string& path, const json& explanation, const Paint& paint) {
    std::string out = paint(Colour::bold, escape(name_of_path(path))) + ": " +
                      escape(text_of(explanation, "verdict")) + "\n";
    Table table({{""}, {"", Align::right}, {""}});
    const std::string rule = rule_view(explanation);
    // Rules decide about dax devices alone.
    const auto kind = kind_of_path(path);
    const bool is_decided = !kind || *kind == Kind::dax;
    if (is_decided) {
        table.add({" ", "Decision:", step_view(explanation)});
        table.add({"", "Rule:", rule.empty() ? "none holds" : rule});
    }
    table.add({is_decided ? "" : " ", "Reason:", escape(text_of(explanation, "reason"))});
    std::size_t number = 0;
    for (const json& step : list_of(explanation, "steps")) {
        ++number;
        table.add({"", number == 1 ? "Steps:" : "", fmt::format("{}. {}", number, step_view(step))});
    }
    add_list(table, is_decided ? "Obstacles:" : "Holds:", list_of(explanation, "obstacles"));
    std::string label = "Passed over:";
    for (const json& rejected : list_of(explanation, "rejected")) {
        table.add({"", label,
                   fmt::format("{}: {} wants {}{}", rule_view(rejected), escape(text_of(rejected, "key")),
                               escape(text_of(rejected, "want")), seen_view(text_of(rejected, "seen")))});
        label.clear();
    }
    return out + table.text(false, paint.columns());
}

std::string problems_view(const json& problems, const Paint& paint) {
    std::string out;
    for (const json& problem : problems) {
        const std::string severity = text_of(problem, "severity");
        std::string where = text_of(problem, "file");
        if (const auto line = number_of(problem, "line"); line > 0) {
            where += fmt::format(":{}", line);
            if (const auto column = number_of(problem, "column"); column > 0) {
                where += fmt::format(":{}", column);
            }
        }
        out += fmt::format("{}: {}: {}\n", escape(where), paint(colour_of(severity), escape(severity)),
                           escape(text_of(problem, "message")));
    }
    return out;
}

std::string effective_view(const json& effective, const Paint& paint) {
    Table table({{"", Align::right}, {"RULE"}, {"PLACE"}, {"MATCH"}, {"DOES"}});
    std::size_t number = 0;
    for (const json& rule : list_of(effective, "rules")) {
        table.add({fmt::format("{}", ++number), paint(Colour::bold, escape(text_of(rule, "name"))),
                   escape(place(rule)), escape(text_of(rule, "match")), escape(text_of(rule, "action"))});
    }
    std::string out;
    if (number > 0) {
        out = table.text(true, paint.columns());
    } else if (!has_errors(list_of(effective, "problems"))) {
        out = "no rules: every device is only watched\n";
    }
    for (const json& file : list_of(effective, "files")) {
        const std::string mask = text_of(file, "masked_by");
        if (mask.empty()) continue;
        out += fmt::format("masked: {} by {}\n", escape(text_of(file, "path")), escape(mask));
    }
    return out;
}

bool has_errors(const json& problems) {
    for (const json& problem : problems) {
        if (text_of(problem, "severity") == "error") return true;
    }
    return false;
}

}  // namespace cxlmemctl
