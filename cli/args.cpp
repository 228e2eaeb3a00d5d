// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/args.h"

#include <cxlmemctl_version.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string_view>
#include <utility>

#include "cli/commands.h"
#include "cli/names.h"

namespace cxlmemctl {
namespace {

// What a script made of a variable that is not set must not act on this machine instead of another.
std::string names_a_host(const std::string& text) {
    const std::size_t at = text.rfind('@');
    const std::string host = at == std::string::npos ? text : text.substr(at + 1);
    return host.empty() || at == 0 ? "names no host: " + text : std::string{};
}

std::string names_a_bus(const std::string& text) {
    return text.empty() ? "names no bus: say system, session, or a D-Bus address" : std::string{};
}

void global_options(CLI::App& app, Args& args) {
    Destination& to = args.destination;
    app.add_flag("--json", args.json, "Print JSON");
    auto* bus = app.add_option("--bus", to.bus, "system, session, or a D-Bus address")
                    ->type_name("BUS")
                    ->check(names_a_bus)
                    ->take_last()
                    ->capture_default_str();
    app.add_option("-H,--host", to.host, "The daemon of another machine, through ssh")
        ->type_name("[USER@]HOST")
        ->check(names_a_host)
        ->excludes(bus);
    app.add_flag_function(
        "--no-ask-password", [&to](std::int64_t /*count*/) { to.ask_password = false; },
        "Do not ask for a password");
    app.add_flag("--no-block", args.no_block, "Print the job and do not wait for it");
}

// The options refer to `args`.
std::unique_ptr<CLI::App> grammar(Args& args) {
    auto app =
        std::make_unique<CLI::App>("Looks at CXL memory and tells cxlmemd what to do with it.", "cxlmemctl");
    app->set_version_flag("--version", std::string("cxlmemctl ") + version);
    app->set_help_flag("-h,--help", "Print this help and exit");
    app->require_subcommand(0, 1);
    app->fallthrough();
    app->get_formatter()->column_width(34);
    global_options(*app, args);
    for (const Command& command : all_commands()) {
        CLI::App* sub = app->add_subcommand(command.name, command.text);
        sub->fallthrough();
        sub->callback([&args, &command] { args.command = &command; });
        OptionSet set(*sub, args);
        if (command.options != nullptr) command.options(set);
    }
    return app;
}

Parsed usage_error(const std::string& message) {
    return {std::nullopt, Exit::usage, message + "; see cxlmemctl --help"};
}

}  // namespace

Parsed parse_args(int argc, const char* const* argv) {
    // CLI11 would take the next word for the value of these.
    for (const char* const* word = argv; word != argv + argc && std::string_view{*word} != "--"; ++word) {
        for (const std::string_view option : {"--host=", "--bus=", "--root="}) {
            if (*word == option) return usage_error(std::string{option} + " has no value");
        }
    }
    Args args;
    const auto app = grammar(args);
    try {
        app->parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        const auto chosen = app->get_subcommands();
        return {std::nullopt, Exit::done, (chosen.empty() ? app.get() : chosen.front())->help()};
    } catch (const CLI::CallForVersion& version_text) {
        return {std::nullopt, Exit::done, std::string(version_text.what()) + "\n"};
    } catch (const CLI::ParseError& error) {
        return usage_error(error.what());
    }
    if (args.command == nullptr) return usage_error("say what to do, as in: cxlmemctl status");
    if (args.plans_on_records() && !args.destination.host.empty() && args.policy.empty())
        return usage_error("--host: say with --policy which policy is meant");
    args.names = join_job_words(args.names);
    return {std::move(args), Exit::done, {}};
}

}  // namespace cxlmemctl
