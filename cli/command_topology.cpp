// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/topology.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

json json_of(const Machine& machine) {
    json parts = json::array();
    for (const Part& part : machine.parts) {
        constexpr std::array<const char*, 6> kinds = {"bridge", "card", "window", "region", "dax", "node"};
        json details = json::array();
        for (const Detail& detail : part.details) details.push_back(detail.text);
        parts.push_back({{"Kind", kinds.at(static_cast<std::size_t>(part.kind))},
                         {"Name", part.title},
                         {"Details", details}});
    }
    json links = json::array();
    for (const Link& link : machine.links) {
        links.push_back({{"From", link.from}, {"To", link.to}, {"PossibleOnly", link.possible_only}});
    }
    return {{"Parts", parts}, {"Links", links}};
}

}  // namespace

Result<Exit> topology(const Args& args, Client& client, Output& out) {
    const Machine machine = machine_of(client.objects());
    if (!args.output.empty()) {
        // "-" is for a pipe.
        if (args.output != "-") return replace_file(args.output, topology_svg(machine));
        out.text(topology_svg(machine));
    } else if (out.json()) {
        out.document(json_of(machine));
    } else {
        out.text(topology_text(machine, std::max(out.columns(), std::size_t{80}),
                               args.ascii || !out.is_unicode(), out.paint()));
    }
    return Exit::done;
}

void topology_options(OptionSet& set) {
    set.flag("--ascii", set.args().ascii, "Lines of ASCII, whatever the locale");
    set.text("--svg", set.args().output, "FILE", "Replace this file by a picture; - for standard output");
}

}  // namespace cxlmemctl
