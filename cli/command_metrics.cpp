// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/metrics.h"

namespace cxlmemctl {
namespace {

Result<Exit> give(const Args& args, const std::vector<Family>& families, Output& out) {
    if (!args.output.empty()) return replace_file(args.output, metrics_text(families));
    if (out.json()) {
        out.document(metrics_json(families));
    } else {
        out.text(metrics_text(families));
    }
    return Exit::done;
}

}  // namespace

Result<Exit> metrics(const Args& args, Client& client, Output& out) {
    const nlohmann::json manager = client.manager_properties();
    return give(args, metrics_of(manager, client.objects()), out);
}

Result<Exit> metrics_without_daemon(const Args& args, Output& out) {
    return give(args, metrics_of_nobody(), out);
}

void metrics_options(OptionSet& set) {
    set.text("--output", set.args().output, "FILE", "Replace this file by them, at once");
}

}  // namespace cxlmemctl
