// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/commands.h"

namespace cxlmemctl {

const std::vector<Command>& all_commands() {
    static const std::vector<Command> table = {
        {"status", "Show the daemon, its policy, and all dax devices", status},
        {"list", "List objects", list, list_options},
        {"show", "Show all properties of objects", show, show_options},
        {"monitor", "Show what happens, until Ctrl-C", monitor},
        {"wait", "Wait until memory is online, and say what is missing", wait, wait_options, true},
        {"doctor", "Say whether this machine is well set up", doctor, doctor_options},
        {"metrics", "Print metrics as OpenMetrics text", metrics, metrics_options, false, nullptr,
         metrics_without_daemon},
        {"topology", "Draw cards, windows, regions, devices and nodes", topology, topology_options},
        {"record", "Print this host's topology as a file for the emulator", record, record_options},
        {"plan", "Show what policy would do now", plan, plan_options, false, plan_on_files},
        {"apply", "Do what policy says now", apply},
        {"explain", "Say why a device, card, region, decoder or node is as it is", explain, explain_options},
        {"reload", "Read the policy files again", reload},
        {"import", "Print the policy that does what a daxctl configuration or udev rules do", import_file,
         import_options},
        {"check", "Check policy files together, or those of the daemon on disk", check, check_options},
        {"online", "Bring dax devices online as memory", online, online_options},
        {"offline", "Take dax devices offline", offline, offline_options},
        {"mode", "Give a dax device another mode", mode, mode_options},
        {"hold", "Keep policy off dax devices", hold, hold_options},
        {"release", "Give dax devices, regions or memdevs back to policy", release, release_options},
        {"remove", "Take regions away, or empty cards to pull them", remove, remove_options},
        {"cancel", "Cancel jobs", cancel, cancel_options},
    };
    return table;
}

}  // namespace cxlmemctl
