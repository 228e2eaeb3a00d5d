// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/trace_main.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "tests/contract/trace_run.h"

namespace cxlmemd::contract {

namespace {

constexpr int most_before = 8;

std::optional<ScenarioText> read_scenario(const std::filesystem::path& path) {
    std::ifstream file(path);
    if (!file) {
        std::cerr << path.string() << ": it cannot be read\n";
        return std::nullopt;
    }
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    auto scenario = parse_scenario(text);
    if (scenario) return *scenario;
    for (const ScenarioProblem& problem : scenario.error()) {
        std::cerr << path.string() << ":" << problem.line << ": " << problem.message << "\n";
    }
    return std::nullopt;
}

}  // namespace

int print_trace(const std::string& path, TraceMachine& machine, bool replay) {
    const auto scenario = read_scenario(path);
    if (!scenario) return 2;
    if (replay) {
        std::vector<ScenarioText> before;
        for (std::string name = scenario->after; !name.empty(); name = before.back().after) {
            const auto earlier =
                read_scenario(std::filesystem::path{path}.replace_filename(name + ".scenario"));
            if (!earlier || before.size() == most_before) return 2;
            before.push_back(*earlier);
        }
        for (auto it = before.rbegin(); it != before.rend(); ++it) {
            TraceRun earlier{machine, [](const std::string&) {}};
            earlier.run(*it);
            if (it->keep) continue;
            if (const auto cleaned = earlier.clean(); !cleaned) {
                std::cerr << path << ": " << cleaned.error().text() << "\n";
                return 2;
            }
        }
    }
    TraceRun run{machine, [](const std::string& line) { std::cout << line << "\n"; }};
    run.run(*scenario);
    std::cout.flush();
    if (scenario->keep) return 0;
    if (const auto cleaned = run.clean(); !cleaned) {
        std::cerr << path << ": it leaves something behind: " << cleaned.error().text() << "\n";
        return 2;
    }
    return 0;
}

}  // namespace cxlmemd::contract
