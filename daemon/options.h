// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line of cxlmemd.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cxlmemd {

struct Options {
    enum class Action { run, plan, plan_on, check_config, early };
    Action action = Action::run;
    std::string backend = "linux";  // linux, emulator, emulator:FILE
    std::optional<std::filesystem::path> config;
    std::string bus = "system";  // system, session, or an address
    bool observe = false;
    std::vector<std::filesystem::path> files;      // of --check-config
    std::vector<std::filesystem::path> plan_on;    // recorded machines, or folders of them
    std::optional<std::filesystem::path> policy;   // --plan-on: instead of the policy of the configuration
    std::optional<std::filesystem::path> against;  // --plan-on: what that changes
    std::filesystem::path state_dir;
    std::filesystem::path runtime_dir;
};

// What the environment says; read once, in main().
struct Environment {
    const char* state_directory = nullptr;    // $STATE_DIRECTORY
    const char* runtime_directory = nullptr;  // $RUNTIME_DIRECTORY
};

struct ParsedOptions {
    std::optional<Options> options;  // else: exit with `code`, everything has been printed
    int code = 0;
};

[[nodiscard]] ParsedOptions parse_options(int argc, char** argv, const Environment& environment);

}  // namespace cxlmemd
