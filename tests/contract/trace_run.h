// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a scenario on a machine and writes down what came of each step: the result, and what the kernel told.
#pragma once

#include <functional>
#include <string>

#include "tests/contract/scenario_text.h"
#include "tests/contract/trace_machine.h"
#include "tests/contract/trace_names.h"

namespace cxlmemd::contract {

// One line of a trace, without its end.
using TraceLine = std::function<void(const std::string&)>;

class TraceRun final {
 public:
    TraceRun(TraceMachine& machine, TraceLine line) : machine_(machine), line_(std::move(line)) {}

    void run(const ScenarioText& scenario);
    // Takes offline what is online, removes the regions, and sets back what was set. An error names what
    // could not be done.
    [[nodiscard]] Result<> clean();

 private:
    void run(const ScenarioStep& step);
    void act(const ScenarioStep& step, TraceDevice& device);
    void on_blocks(const ScenarioStep& step, const TraceDevice& device);
    void drain(const TraceDevice& device);
    void show(const ScenarioStep& step, const TraceDevice& device);
    void show_blocks(const TraceDevice& device);
    void show_dax(const TraceDevice& device);
    void show_node(const TraceDevice& device);
    void show_settings();
    [[nodiscard]] Result<> create(const TraceDevice& device);
    void say(const std::string& text) { line_("  " + text); }
    [[nodiscard]] Topology look();

    TraceMachine& machine_;
    TraceLine line_;
    TraceNames names_;
};

}  // namespace cxlmemd::contract
