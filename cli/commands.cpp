// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/commands.h"

namespace cxlmemctl {

Result<Exit> run_command(const Args& args, Client& client, Output& out) {
    switch (args.command) {
        case Command::status: return status(args, client, out);
        case Command::list: return list(args, client, out);
        case Command::show: return show(args, client, out);
        case Command::monitor: return monitor(args, client, out);
        case Command::plan: return plan(args, client, out);
        case Command::apply: return apply(args, client, out);
        case Command::explain: return explain(args, client, out);
        case Command::reload: return reload(args, client, out);
        case Command::check: return check(args, client, out);
        case Command::online: return online(args, client, out);
        case Command::offline: return offline(args, client, out);
        case Command::mode: return mode(args, client, out);
        case Command::hold: return hold(args, client, out);
        case Command::release: return release(args, client, out);
        case Command::remove: return remove(args, client, out);
        case Command::cancel: return cancel(args, client, out);
        case Command::wait: return wait(args, client, out);
        case Command::metrics: return metrics(args, client, out);
        case Command::import: return import_file(args, out);
        case Command::doctor: return doctor(args, out);
        case Command::topology: return topology(args, client, out);
        case Command::record: return record(args, client, out);
    }
    return fail(Exit::usage, args.command_name + " is no command");
}

}  // namespace cxlmemctl
