// SPDX-License-Identifier: LGPL-2.1-or-later
// What each word of the command line does, and what it takes. A command is a function here and a row in
// commands.cpp.
#pragma once

#include <vector>

#include "cli/command.h"

namespace cxlmemctl {

// In the order of --help.
[[nodiscard]] const std::vector<Command>& all_commands();

// commands_read.cpp
Result<Exit> status(const Args& args, Client& client, Output& out);
Result<Exit> list(const Args& args, Client& client, Output& out);
void list_options(OptionSet& set);
Result<Exit> show(const Args& args, Client& client, Output& out);
void show_options(OptionSet& set);
// command_monitor.cpp
Result<Exit> monitor(const Args& args, Client& client, Output& out);
// command_wait.cpp
Result<Exit> wait(const Args& args, Client& client, Output& out);
void wait_options(OptionSet& set);
// command_metrics.cpp
Result<Exit> metrics(const Args& args, Client& client, Output& out);
void metrics_options(OptionSet& set);
// The daemon cannot be reached; that is a metric, too.
Result<Exit> metrics_without_daemon(const Args& args, Output& out);
// command_import.cpp; needs no daemon
Result<Exit> import_file(const Args& args, Output& out);
void import_options(OptionSet& set);
// command_doctor.cpp; does what it can without the daemon
Result<Exit> doctor(const Args& args, Output& out);
void doctor_options(OptionSet& set);
// command_topology.cpp
Result<Exit> topology(const Args& args, Client& client, Output& out);
void topology_options(OptionSet& set);
// command_record.cpp
Result<Exit> record(const Args& args, Client& client, Output& out);
void record_options(OptionSet& set);
// commands_policy.cpp
Result<Exit> plan(const Args& args, Client& client, Output& out);
void plan_options(OptionSet& set);
Result<Exit> apply(const Args& args, Client& client, Output& out);
Result<Exit> explain(const Args& args, Client& client, Output& out);
void explain_options(OptionSet& set);
Result<Exit> reload(const Args& args, Client& client, Output& out);
// command_fleet.cpp: plan on recorded machines, which needs no daemon; and on the daemon's own beside them
Result<Exit> plan_on_files(const Args& args, Output& out);
Result<Exit> plan_on_daemon(const Args& args, Client& client, Output& out);
// command_check.cpp
Result<Exit> check(const Args& args, Client& client, Output& out);
void check_options(OptionSet& set);
// commands_device.cpp
Result<Exit> online(const Args& args, Client& client, Output& out);
void online_options(OptionSet& set);
Result<Exit> offline(const Args& args, Client& client, Output& out);
void offline_options(OptionSet& set);
Result<Exit> mode(const Args& args, Client& client, Output& out);
void mode_options(OptionSet& set);
Result<Exit> hold(const Args& args, Client& client, Output& out);
void hold_options(OptionSet& set);
Result<Exit> release(const Args& args, Client& client, Output& out);
void release_options(OptionSet& set);
Result<Exit> remove(const Args& args, Client& client, Output& out);
void remove_options(OptionSet& set);
Result<Exit> cancel(const Args& args, Client& client, Output& out);
void cancel_options(OptionSet& set);

}  // namespace cxlmemctl
