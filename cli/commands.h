// SPDX-License-Identifier: LGPL-2.1-or-later
// What each word of the command line does.
#pragma once

#include "cli/args.h"
#include "cli/client.h"
#include "cli/failure.h"
#include "cli/output.h"

namespace cxlmemctl {

// Runs args.command. May throw sdbus::Error.
[[nodiscard]] Result<Exit> run_command(const Args& args, Client& client, Output& out);

// commands_read.cpp
Result<Exit> status(const Args& args, Client& client, Output& out);
Result<Exit> list(const Args& args, Client& client, Output& out);
Result<Exit> show(const Args& args, Client& client, Output& out);
// command_monitor.cpp
Result<Exit> monitor(const Args& args, Client& client, Output& out);
// command_wait.cpp
Result<Exit> wait(const Args& args, Client& client, Output& out);
// command_metrics.cpp
Result<Exit> metrics(const Args& args, Client& client, Output& out);
// The daemon cannot be reached; that is a metric, too.
Result<Exit> metrics_without_daemon(const Args& args, Output& out);
// command_import.cpp; needs no daemon
Result<Exit> import_file(const Args& args, Output& out);
// command_topology.cpp
Result<Exit> topology(const Args& args, Client& client, Output& out);
// command_record.cpp
Result<Exit> record(const Args& args, Client& client, Output& out);
// commands_policy.cpp
Result<Exit> plan(const Args& args, Client& client, Output& out);
Result<Exit> apply(const Args& args, Client& client, Output& out);
Result<Exit> explain(const Args& args, Client& client, Output& out);
Result<Exit> reload(const Args& args, Client& client, Output& out);
// command_fleet.cpp: plan on recorded machines, which needs no daemon; and on the daemon's own beside them
Result<Exit> plan_on_files(const Args& args, Output& out);
Result<Exit> plan_on_daemon(const Args& args, Client& client, Output& out);
// command_check.cpp
Result<Exit> check(const Args& args, Client& client, Output& out);
// commands_device.cpp
Result<Exit> online(const Args& args, Client& client, Output& out);
Result<Exit> offline(const Args& args, Client& client, Output& out);
Result<Exit> mode(const Args& args, Client& client, Output& out);
Result<Exit> hold(const Args& args, Client& client, Output& out);
Result<Exit> release(const Args& args, Client& client, Output& out);
Result<Exit> remove(const Args& args, Client& client, Output& out);
Result<Exit> cancel(const Args& args, Client& client, Output& out);

}  // namespace cxlmemctl
