// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/scenario_file.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "backends/emulator/inject.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::string_view on_prefix = "on.";

std::optional<InjectValue> value_of(const toml::node& node) {
    if (const auto* truth = node.as_boolean()) return InjectValue{truth->get()};
    if (const auto* number = node.as_integer()) return InjectValue{number->get()};
    if (const auto* number = node.as_floating_point()) return InjectValue{number->get()};
    const auto* text = node.as_string();
    if (text != nullptr && text->get().size() <= max_text_bytes) return InjectValue{text->get()};
    return std::nullopt;
}

// Lists of names are details with commas: ["mem0", "mem1"] is "mem0,mem1".
std::optional<InjectValue> value_of_list(const toml::array& list) {
    std::string all;
    for (const toml::node& element : list) {
        const auto* text = element.as_string();
        if (text == nullptr || text->get().find(',') != std::string::npos) return std::nullopt;
        if (!all.empty()) all += ',';
        all += text->get();
    }
    return list.empty() || all.size() > max_file_bytes ? std::nullopt : std::optional{InjectValue{all}};
}

// False if one of them is none that a detail could have.
bool read_values(FileTable& table, std::string_view prefix, InjectDetails& into) {
    bool all = true;
    for (const auto& [key, node] : table.rest()) {
        const auto* list = node->as_array();
        const auto value = list != nullptr ? value_of_list(*list) : value_of(*node);
        if (value) {
            into.emplace(fmt::format("{}{}", prefix, key), *value);
        } else {
            table.wrong(key,
                        fmt::format("must be a boolean, a number, a string of {} bytes at most, or a list "
                                    "of names",
                                    max_text_bytes));
            all = false;
        }
    }
    return all;
}

// Empty, and noted, if something is wrong with it.
std::optional<Step> read_step(FileTable& table, const std::string& file) {
    Step step;
    step.event = table.needed(table.text("event"), "event");
    step.place = fmt::format("{}:{}", file, table.line());
    std::optional<FileTable> on = table.table("on");
    bool readable = !step.event.empty() && table.has("on") == on.has_value();
    if (on) readable = read_values(*on, on_prefix, step.details) && readable;
    readable = read_values(table, "", step.details) && readable;
    if (!readable) return std::nullopt;
    const ReadOrder read = read_order(step.event, step.details, step.place);
    for (const DetailProblem& problem : read.problems) {
        if (problem.key.empty()) {
            table.wrong("event", "is none: " + problem.reason);
        } else if (on && problem.key.starts_with(on_prefix)) {
            on->wrong(problem.key.substr(on_prefix.size()), problem.reason);
        } else {
            table.wrong(problem.key, problem.reason);
        }
    }
    return read.problems.empty() ? std::optional{std::move(step)} : std::nullopt;
}

}  // namespace

Scenario read_scenario(FileTable& root, const std::string& file) {
    Scenario out;
    if (std::optional<FileTable> table = root.table("scenario")) {
        out.seed = table->number("seed").value_or(out.seed);
        table->finish();
    }
    for (FileTable& table : root.tables("step", Agenda::most)) {
        if (auto step = read_step(table, file)) out.steps.push_back(std::move(*step));
    }
    return out;
}

}  // namespace cxlmemd::emulator
