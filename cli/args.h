// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line as a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/failure.h"
#include "cli/objects.h"
#include "cli/units.h"
#include "cli/wanted.h"

namespace cxlmemctl {

struct Command;  // command.h

// Waiting for what is not on this machine.
enum class IfNone { wait, met, fail };

struct Args {
    const Command* command = nullptr;  // set by parse_args()
    Destination destination;
    bool json = false;
    bool no_block = false;
    std::vector<std::string> names;  // objects
    std::vector<std::string> files;  // check, import
    std::optional<Kind> kind;        // list
    std::string zone;                // online; empty: what the rule says
    std::string mode;                // mode
    Amount amount = AllMemory{};     // online
    std::optional<std::uint64_t> timeout_usec;
    std::optional<bool> rollback;
    bool hold = true;
    bool anonymise = false;                   // record
    std::optional<std::uint64_t> since_usec;  // record: CLOCK_REALTIME
    Wanted wanted;                            // wait
    IfNone if_none = IfNone::wait;
    std::uint64_t settle_usec = 10'000'000;
    bool watch = false;
    std::string output;   // metrics, topology: a file
    std::string root;     // doctor: where the machine's files lie; empty: /
    bool blocks = false;  // show
    bool ascii = false;   // topology
    bool page = false;    // doctor: the troubleshooting page instead
    // plan: recorded machines, and folders of policy files; empty: none given
    std::vector<std::string> on;
    std::string policy;
    std::string against;
    [[nodiscard]] bool plans_on_records() const { return !on.empty() || !policy.empty() || !against.empty(); }
    // Files are enough for what is asked.
    [[nodiscard]] bool needs_no_bus() const { return !on.empty() && destination.host.empty(); }
};

// Either arguments, or a text to print and an exit code (help, version, usage error).
struct Parsed {
    std::optional<Args> args;
    Exit code = Exit::done;
    std::string text;
};

[[nodiscard]] Parsed parse_args(int argc, const char* const* argv);

}  // namespace cxlmemctl
