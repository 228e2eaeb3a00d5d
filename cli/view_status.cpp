// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/table.h"
#include "cli/units.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

constexpr std::size_t most_unsettled = 8;
constexpr std::size_t most_listed = 16;

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

// Of the devices that are not as policy wants them: why.
void unsettled_lines(Table& table, const Objects& devices, const Paint& paint) {
    std::string title = "Not so:";
    std::size_t left_out = 0;
    std::size_t shown = 0;
    for (const Object& device : devices) {
        const json& p = device.properties;
        const json error = p.value("LastError", json::object());
        const bool failing = error.is_object() && !text_of(error, "name").empty();
        if (flag_of(p, "InPolicy") && !failing) continue;
        if (++shown > most_unsettled) {
            ++left_out;
            continue;
        }
        const std::string why = failing ? text_of(error, "message") : text_of(p, "Reason");
        table.add(
            {"", title, paint(failing ? Colour::red : Colour::yellow, escape(device.name + ": " + why))});
        title.clear();
    }
    if (left_out > 0) table.add({"", "", fmt::format("{} more, see: cxlmemctl list dax", left_out)});
}

void device_lines(Table& table, const Objects& devices, const Paint& paint) {
    if (devices.empty()) return;
    const auto has = [&](const char* flag) {
        return std::count_if(devices.begin(), devices.end(),
                             [&](const Object& device) { return flag_of(device.properties, flag); });
    };
    std::string line = fmt::format("{} of {} as policy wants", has("InPolicy"), devices.size());
    // Those are right whatever they are: nobody has said what they should be.
    const auto free = std::count_if(devices.begin(), devices.end(), [](const Object& device) {
        return text_of(device.properties, "Rule").empty();
    });
    if (free > 0) line += fmt::format(", {} of them without a rule, only watched", free);
    if (const auto held = has("Held"); held > 0)
        line += fmt::format("; {} held, back with: cxlmemctl release", held);
    table.add({"", "Devices:", line});
    unsettled_lines(table, devices, paint);
}

// On a terminal as many as fit on a screen beside the rest, first those about which there is something to
// say.
std::string device_table(Objects devices, const Paint& paint) {
    std::string more;
    if (paint.columns() > 0 && devices.size() > most_listed) {
        std::stable_partition(devices.begin(), devices.end(),
                              [](const Object& device) { return !flag_of(device.properties, "InPolicy"); });
        more = fmt::format("{} more, see: cxlmemctl list dax\n", devices.size() - most_listed);
        devices.resize(most_listed);
    }
    return list_view(devices, Kind::dax, paint) + more;
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
    Objects devices;
    std::copy_if(objects.begin(), objects.end(), std::back_inserter(devices),
                 [](const Object& object) { return object.kind == Kind::dax; });
    device_lines(table, devices, paint);
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
    out += table.text(false, paint.columns());
    return out + "\n" + device_table(std::move(devices), paint);
}

}  // namespace cxlmemctl
