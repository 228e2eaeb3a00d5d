// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "cli/commands.h"
#include "cli/doctor.h"

namespace cxlmemctl {
namespace {

struct Asked {
    tl::expected<DaemonFacts, std::string> facts;
    Exit code = Exit::done;  // of a daemon that does not answer
};

Asked without(const Failure& failure) {
    return {tl::unexpected(failure.message), failure.code};
}

Asked ask(const Destination& destination) {
    try {
        auto client = Client::connect(destination);
        if (!client) return without(client.error());
        nlohmann::json manager = client->manager_properties();
        return {DaemonFacts{std::move(manager), client->objects()}, Exit::done};
    } catch (const sdbus::Error& error) {
        return without(failure_of_dbus(error.getName(), error.getMessage()));
    }
}

tl::expected<HostFacts, std::string> host_of(const Args& args, const Asked& asked) {
    if (!args.destination.host.empty())
        return tl::unexpected(
            std::string("the files are those of another machine: run doctor there, as through ssh"));
    // Its machine is made up; with --root it says where that machine's files are.
    if (args.root.empty() && asked.facts && text_of(asked.facts->manager, "Backend") == "emulator")
        return tl::unexpected(std::string("the daemon's machine is an emulated one, which has no files"));
    return read_host(args.root.empty() ? "/" : args.root);
}

}  // namespace

Result<Exit> doctor(const Args& args, Output& out) {
    if (args.page) {
        out.text(troubleshooting_page());
        return Exit::done;
    }
    const Asked asked = ask(args.destination);
    const Report report = examine({asked.facts, host_of(args, asked)});
    if (out.json()) {
        out.document(report_json(report, asked.facts.has_value()));
    } else {
        out.text(report_text(report, std::max(out.columns(), std::size_t{80}), out.paint()));
    }
    return asked.code == Exit::done ? exit_of_report(report) : asked.code;
}

void doctor_options(OptionSet& set) {
    set.text("--root", set.args().root, "DIR", "Read the machine's files below this folder")
        ->check(CLI::ExistingDirectory)
        ->take_last();
    set.flag("--page", set.args().page, "")->group("");  // docs/troubleshooting.md is made by it
}

}  // namespace cxlmemctl
