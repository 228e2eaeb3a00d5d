// SPDX-License-Identifier: LGPL-2.1-or-later
// One word of the command line: what it does, and what it takes. The table of all is in commands.cpp.
#pragma once

#include <string_view>
#include <variant>

#include "cli/args.h"
#include "cli/client.h"
#include "cli/failure.h"
#include "cli/option_set.h"
#include "cli/output.h"

namespace cxlmemctl {

// May throw sdbus::Error.
using OverTheBus = Result<Exit> (*)(const Args& args, Client& client, Output& out);
using WithoutBus = Result<Exit> (*)(const Args& args, Output& out);

struct Command {
    const char* name;
    const char* text;  // for --help
    std::variant<OverTheBus, WithoutBus> run;
    void (*options)(OptionSet& set) = nullptr;  // nullptr: it takes none of its own
    bool waits_for_daemon = false;              // a bus is enough to begin
    WithoutBus files_alone = nullptr;           // instead of `run`, if args.needs_no_bus()
    WithoutBus unreachable = nullptr;           // what else is to be said if there is no daemon
};

}  // namespace cxlmemctl
