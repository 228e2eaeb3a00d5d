// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>

#include "cli/table.h"
#include "cli/units.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

std::string words_in(const json& list) {
    std::string out;
    for (const json& word : list) {
        if (word.is_string()) out += (out.empty() ? "" : ", ") + word.get<std::string>();
    }
    return escape(out);
}

void policy_lines(Table& table, const json& manager) {
    const json& files = list_of(manager, "PolicyFiles");
    std::string first = fmt::format("generation {}, {} file{}", number_of(manager, "PolicyGeneration"),
                                    files.size(), files.size() == 1 ? "" : "s");
    if (flag_of(manager, "PolicyPending")) {
        first += "; edited since, waits for a reload";
    } else if (const json& problems = list_of(manager, "PolicyProblems");
               has_errors(problems) && problems != list_of(manager, "PolicyProblemsInForce")) {
        first += "; edited since, with errors";
    }
    table.add({"", "Policy:", first});
    for (const json& file : files) {
        if (file.is_string()) table.add({"", "", escape(file.get_ref<const std::string&>())});
    }
}

void problem_lines(Table& table, std::string title, const json& problems, const Paint& paint) {
    for (const json& problem : problems) {
        std::string line = problems_view(json::array({problem}), paint);
        if (line.ends_with('\n')) line.pop_back();
        table.add({"", title, line});
        title.clear();
    }
}

void trouble_lines(Table& table, const json& manager, const Paint& paint) {
    const json& in_force = list_of(manager, "PolicyProblemsInForce");
    const json& last_read = list_of(manager, "PolicyProblems");
    problem_lines(table, "Problems:", in_force, paint);
    // Of files that were edited since; what is in force has none of them.
    if (last_read != in_force) problem_lines(table, "Edited files:", last_read, paint);
    std::string title = "Conflicts:";
    for (const json& conflict : list_of(manager, "Conflicts")) {
        table.add(
            {"", title,
             paint(Colour::yellow, escape(text_of(conflict, "kind") + ": " + text_of(conflict, "message")))});
        title.clear();
    }
}

std::string memory_line(const json& manager) {
    std::string out = fmt::format("{} of {} online", format_bytes(number_of(manager, "BytesOnline")),
                                  format_bytes(number_of(manager, "BytesTotal")));
    if (const auto block = number_of(manager, "BlockSize"); block > 0) {
        out += fmt::format(", blocks of {}", format_bytes(block));
    }
    return out;
}

}  // namespace

std::string status_view(const json& manager, const Objects& objects, const Paint& paint) {
    std::string out = paint(Colour::bold, fmt::format("cxlmemd {}", escape(text_of(manager, "Version")))) +
                      fmt::format(", {} backend\n", escape(text_of(manager, "Backend")));
    Table table({{""}, {"", Align::right}, {""}});
    const std::string mode = text_of(manager, "Mode");
    const std::string state = text_of(manager, "State");
    table.add({" ", "Mode:", paint(colour_of(mode), escape(mode))});
    table.add({"", "State:", paint(colour_of(state), escape(state))});
    policy_lines(table, manager);
    trouble_lines(table, manager, paint);
    table.add({"", "Memory:", memory_line(manager)});
    if (const double ratio = real_of(manager, "MovableRatio"); ratio > 0) {
        table.add({"", "Movable:", fmt::format("{:.2f} of kernel memory, whole machine", ratio)});
    }
    if (const std::string kernel = text_of(manager, "KernelAutoOnline"); !kernel.empty()) {
        table.add({"", "Auto-online:", fmt::format("{} (what the kernel does by itself)", escape(kernel))});
    }
    const json& features = list_of(manager, "Features");
    if (!features.empty()) table.add({"", "Kernel has:", words_in(features)});
    const auto running = std::count_if(objects.begin(), objects.end(), [](const Object& object) {
        return object.kind == Kind::job && text_of(object.properties, "State") != "finished";
    });
    if (running > 0) table.add({"", "Jobs:", fmt::format("{}, see: cxlmemctl list jobs", running)});
    std::string title = "Cards:";
    for (const Object& object : objects) {
        const std::string reason = object.kind == Kind::memdev ? text_of(object.properties, "Reason") : "";
        if (reason.empty()) continue;
        table.add({"", title, escape(object.name) + ": " + paint(Colour::yellow, escape(reason))});
        title.clear();
    }
    out += table.text(false);
    return out + "\n" + list_view(objects, Kind::dax, paint);
}

}  // namespace cxlmemctl
