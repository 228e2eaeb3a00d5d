// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/view_fleet.h"

#include <fmt/format.h>

#include <map>

#include "cli/objects.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

constexpr std::size_t line_length = 100;

std::string counted(std::uint64_t number, const char* noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

// Host names that several files have, as records without names or of one machine do, tell nothing apart.
class Names final {
 public:
    explicit Names(const json& groups) {
        for (const json& group : groups) {
            for (const json& machine : list_of(group, "machines")) ++times_[text_of(machine, "host")];
        }
    }
    [[nodiscard]] std::string operator()(const json& machine) const {
        const std::string host = text_of(machine, "host");
        const std::string file = text_of(machine, "file");
        if (host.empty()) return file;
        return times_.at(host) == 1 ? host : fmt::format("{} ({})", host, file);
    }

 private:
    std::map<std::string, std::size_t> times_;
};

// "3 machines: web1, web2, web3" in lines of a length that can be read.
std::string head(const json& group, const Names& names, const Paint& paint) {
    const json& machines = list_of(group, "machines");
    const std::string count = counted(machines.size(), "machine") + ":";
    std::string out = paint(Colour::bold, count);
    std::size_t column = count.size();
    for (std::size_t i = 0; i < machines.size(); ++i) {
        const std::string name = escape(names(machines[i])) + (i + 1 < machines.size() ? "," : "");
        if (column + 1 + width(name) > line_length && column > 4) {
            out += "\n   ";
            column = 3;
        }
        out += " " + name;
        column += 1 + width(name);
    }
    return out + "\n";
}

std::string verdict_words(const std::string& verdict) {
    if (verdict == "in-policy") return "nothing to do";
    if (verdict == "unmanaged") return "only watched";
    if (verdict == "ignored") return "left alone";
    return verdict;
}

std::string device_does(const json& device) {
    std::string out;
    for (const json& step : list_of(device, "steps")) out += (out.empty() ? "" : ", then ") + step_view(step);
    if (!text_of(device, "obstacle").empty()) out += out.empty() ? "blocked" : ", then blocked";
    return out.empty() ? verdict_words(text_of(device, "verdict")) : out;
}

std::string does(const char* kind, const json& item) {
    if (item.is_null()) return "nothing";
    const std::string_view list = kind;
    if (list == "devices") return device_does(item);
    if (!text_of(item, "obstacle").empty()) return "blocked";
    if (list == "tuning") return fmt::format("write {}", number_of(item, "value"));
    const auto bytes = number_of(item, "bytes");
    return escape(text_of(item, "action")) + (bytes == 0 ? "" : " of " + format_bytes(bytes));
}

std::string why(const json& item) {
    if (item.is_null()) return {};
    const std::string obstacle = text_of(item, "obstacle");
    return escape(obstacle.empty() ? text_of(item, "reason") : obstacle);
}

// A region's name is its table's.
std::string place_view(const char* kind, const json& item) {
    if (item.is_null()) return {};
    if (std::string_view{kind} == "devices") return rule_view(item);
    json table = item;
    table["rule"] = text_of(item, "file").empty() ? "" : text_of(item, "name");
    return rule_view(table);
}

constexpr const char* all_lists[] = {"devices", "regions", "tuning"};

std::string outcome_view(const json& group) {
    Table table({{""}, {""}, {""}, {""}, {""}});
    for (const char* kind : all_lists) {
        for (const json& item : list_of(group, kind)) {
            table.add(
                {" ", escape(text_of(item, "name")), does(kind, item), place_view(kind, item), why(item)});
        }
    }
    return table.empty() ? "   nothing: no dax device\n" : table.text(false);
}

// What else of the rule differs, where the steps are the same.
std::string settings_view(const json& item) {
    if (item.is_null()) return {};
    std::string out = text_of(item, "does");
    if (const std::string drain = text_of(item, "drain"); !drain.empty()) out += ", " + drain;
    return escape(out);
}

std::string change_view(const json& group) {
    Table table({{""}, {""}, {""}, {""}, {""}, {""}});
    for (const char* kind : all_lists) {
        for (const json& item : list_of(group, kind)) {
            const json& before = item["before"];
            const json& after = item["after"];
            const bool does_same = does(kind, before) == does(kind, after) && why(before) == why(after);
            const auto add = [&](const char* name, const char* when, const json& what) {
                table.add({" ", name, when, does(kind, what), place_view(kind, what),
                           does_same ? settings_view(what) : why(what)});
            };
            const std::string name = escape(text_of(item, "name"));
            add(name.c_str(), "before", before);
            add("", "after", after);
        }
    }
    return table.text(false);
}

std::string tables_view(const json& tables, const char* what) {
    std::string out;
    for (const json& table : tables) {
        const std::string name = text_of(table, "name");
        out +=
            fmt::format("{}:{}: {}{}: {}\n", escape(text_of(table, "file")), number_of(table, "line"),
                        escape(text_of(table, "table")), name.empty() ? "" : " '" + escape(name) + "'", what);
    }
    return out;
}

}  // namespace

std::string fleet_view(const json& document, const Paint& paint) {
    const bool compares = document.contains("changes");
    const json& groups = list_of(document, compares ? "changes" : "outcomes");
    const Names names{groups};
    std::string out = problems_view(list_of(document, "problems"), paint);
    for (const json& group : groups) {
        out += head(group, names, paint);
        out += compares ? change_view(group) : outcome_view(group);
    }
    if (compares) out += counted(number_of(document, "unchanged"), "machine") + " without a change\n";
    out += tables_view(list_of(document, "unmatched"), "matches on none of these machines");
    out += tables_view(list_of(document, "shadowed"),
                       "decides nowhere: wherever it matches, an earlier one does");
    return out;
}

std::vector<std::string> fleet_errors(const json& document) {
    std::vector<std::string> out;
    for (const json& error : list_of(document, "errors")) {
        std::string where = text_of(error, "file");
        if (const auto line = number_of(error, "line"); line > 0)
            where += fmt::format(":{}:{}", line, number_of(error, "column"));
        const std::string message = text_of(error, "message");
        out.push_back(message.starts_with(where) ? message : where + ": " + message);
    }
    return out;
}

}  // namespace cxlmemctl
