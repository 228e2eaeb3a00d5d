// SPDX-License-Identifier: LGPL-2.1-or-later
// Scenarios as text: what somebody does to a machine, one step a line, in words that are no machine's own
// (docs/emulator.md, "Held against the kernel"). trace_run.h runs them.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace cxlmemd::contract {

enum class Verb {
    // We, through Backend.
    set_block,
    set_mode,
    set_auto_online,
    create,
    destroy,
    set_weight,
    set_interleave_auto,
    set_demotion,
    drain,
    // Somebody else, straight to the kernel.
    write_block,
    write_auto_online,
    write_state,
    bind,
    unbind,
    make,
    remove,
    // What it looks like.
    show_blocks,
    show_dax,
    show_node,
    show_region,
    show_settings,
};

// Blocks of a device from one to another, upwards or downwards. They count from 0; -1 is the last one.
struct BlockRange {
    int from = 0;
    int to = 0;

    bool operator==(const BlockRange&) const = default;
};

struct ScenarioStep {
    std::size_t line = 0;
    std::string text;  // words with one space between them
    Verb verb = Verb::show_settings;
    char device = 0;                   // 'A' is the region and dax device of the first card, and so on
    bool predecessor = false;          // who had its name before: "old-A"
    std::vector<BlockRange> blocks{};  // in this order
    std::string word{};                // what is written, or wanted

    bool operator==(const ScenarioStep&) const = default;
};

struct ScenarioText {
    std::string after;  // the scenario that has to have run on the same machine; empty: a fresh one will do
    bool keep = false;  // nothing is cleaned up behind it: on one machine it comes after those that are
    std::vector<ScenarioStep> steps;

    bool operator==(const ScenarioText&) const = default;
};

struct ScenarioProblem {
    std::size_t line = 0;  // from 1
    std::string message;   // one sentence without full stop

    bool operator==(const ScenarioProblem&) const = default;
};

// Pure. Every problem there is, in the order of the lines.
[[nodiscard]] tl::expected<ScenarioText, std::vector<ScenarioProblem>> parse_scenario(std::string_view text);

}  // namespace cxlmemd::contract
