// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/options.h"

#include <CLI/CLI.hpp>

#include "version.h"

namespace cxlmemd {

ParsedOptions parse_options(int argc, char** argv, const Environment& environment) {
    Options out;
    out.state_dir = environment.state_directory != nullptr ? environment.state_directory : "/var/lib/cxlmemd";
    out.runtime_dir =
        environment.runtime_directory != nullptr ? environment.runtime_directory : "/run/cxlmemd";

    CLI::App app{"Policy daemon for CXL memory: brings dax-kmem memory online as policy files say."};
    app.set_version_flag("--version", std::string{"cxlmemd "} + version);
    app.add_option("--backend", out.backend, "linux, emulator (a two-card server), or emulator:FILE")
        ->capture_default_str()
        ->check([](const std::string& value) {
            const bool known = value == "linux" || value == "emulator" ||
                               (value.rfind("emulator:", 0) == 0 && value.size() > 9);
            return known ? std::string{}
                         : "'" + value + "' is not a backend: linux, emulator or emulator:FILE";
        });
    std::string config;
    app.add_option("--config", config, "Use DIR/daemon.toml and DIR/policy.d alone")->type_name("DIR");
    app.add_option("--bus", out.bus, "system, session, or a D-Bus address")->capture_default_str();
    app.add_option("--state", out.state_dir, "Where holds are kept")->type_name("DIR")->capture_default_str();
    app.add_option("--runtime", out.runtime_dir, "Where what must be put back at stop is kept")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_flag("--observe", out.observe, "Watch and plan, never act");
    bool want_plan = false;
    bool want_check = false;
    bool want_early = false;
    auto* plan = app.add_flag("--plan", want_plan, "Print what policy would do now, and exit");
    auto* check =
        app.add_flag("--check-config", want_check,
                     "Check FILEs, or the whole configuration without any; exit 1 if there is an error");
    check->excludes(plan);
    app.add_flag(
           "--early", want_early,
           "At boot, before CXL drivers are loaded: let new memory wait if the settings say so, and exit")
        ->excludes(plan)
        ->excludes(check);
    app.add_option("FILE", out.files, "Policy files for --check-config (a file named daemon.toml: settings)")
        ->needs(check);

    auto* plan_on = app.add_option("--plan-on", out.plan_on,
                                   "Print as JSON what policy would do on recorded machines, and exit")
                        ->type_name("FILE|DIR...")
                        ->excludes(plan)
                        ->excludes(check);
    std::string policy;
    app.add_option("--policy", policy, "The policy files, instead of those of the configuration")
        ->type_name("DIR")
        ->needs(plan_on);
    std::string against;
    app.add_option("--against", against, "Only what changes, compared with these policy files")
        ->type_name("DIR")
        ->needs(plan_on);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        const int code = app.exit(e);
        return {.options = std::nullopt, .code = code == 0 ? 0 : 2};
    }
    if (!config.empty()) out.config = config;
    if (!policy.empty()) out.policy = policy;
    if (!against.empty()) out.against = against;
    if (!out.plan_on.empty()) out.action = Options::Action::plan_on;
    if (want_plan) out.action = Options::Action::plan;
    if (want_early) out.action = Options::Action::early;
    if (want_check) out.action = Options::Action::check_config;
    return {.options = std::move(out), .code = 0};
}

}  // namespace cxlmemd
