// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemctl: reads its arguments, connects, runs one command. The exit code is made here.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "cli/args.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "cli/text.h"

namespace {

using cxlmemctl::Exit;
using cxlmemctl::Failure;
using cxlmemctl::Result;

Result<Exit> run_on_bus(const cxlmemctl::Command& command, cxlmemctl::OverTheBus run,
                        const cxlmemctl::Args& args, cxlmemctl::Output& out) {
    // The one guard: the bus library throws, nothing else of ours does.
    try {
        auto client = command.waits_for_daemon ? cxlmemctl::Client::connect_to_bus(args.destination)
                                               : cxlmemctl::Client::connect(args.destination);
        if (!client) return tl::unexpected(client.error());
        return run(args, *client, out);
    } catch (const sdbus::Error& error) {
        return tl::unexpected(cxlmemctl::failure_of_dbus(error.getName(), error.getMessage()));
    }
}

Result<Exit> run(const cxlmemctl::Args& args, cxlmemctl::Output& out) {
    const cxlmemctl::Command& command = *args.command;
    if (command.files_alone != nullptr && args.needs_no_bus()) return command.files_alone(args, out);
    if (const auto* alone = std::get_if<cxlmemctl::WithoutBus>(&command.run)) return (*alone)(args, out);
    Result<Exit> result = run_on_bus(command, std::get<cxlmemctl::OverTheBus>(command.run), args, out);
    const bool unreachable = !result && result.error().code == Exit::unreachable;
    if (!unreachable || command.unreachable == nullptr) return result;
    const Result<Exit> told = command.unreachable(args, out);
    return told ? result : told;
}

int end(Exit code) {
    return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const cxlmemctl::Parsed parsed = cxlmemctl::parse_args(argc, argv);
        cxlmemctl::Output out(parsed.args && parsed.args->json);
        if (!parsed.args) {
            if (parsed.code == Exit::done) {
                out.text(parsed.text);
            } else {
                out.error(parsed.text);
            }
            return end(parsed.code);
        }
        const Result<Exit> result = run(*parsed.args, out);
        if (!result) {
            out.error(result.error().message);
            return end(result.error().code);
        }
        if (!out.flush()) {
            out.error("cannot write to standard output");
            return end(Exit::failed);
        }
        return end(*result);
    } catch (const std::exception& error) {
        fmt::print(stderr, "cxlmemctl: {}\n", cxlmemctl::escape(error.what()));
        return end(Exit::failed);
    }
}
