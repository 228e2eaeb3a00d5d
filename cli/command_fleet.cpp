// SPDX-License-Identifier: LGPL-2.1-or-later
// plan --on, --policy, --against: a policy over recorded machines. cxlmemd does the work; here is which
// machines, which policy, and how it reads.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/child.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/view_fleet.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

// Of a plan of the daemon's; a thousand machines of which each is a group of its own take a few MiB.
constexpr std::size_t longest_document = std::size_t{1} << 30U;
constexpr int document_version = 1;
constexpr int matches_nowhere = 3;

// Not an option, whatever it is called.
std::string as_path(const std::string& name) {
    return name.starts_with('-') ? "./" + name : name;
}

// The record of the machine that was asked stands in a file for a moment only; `label` is what it is called.
void rename_file(json& document, const std::string& file, const std::string& label) {
    for (const char* key : {"outcomes", "changes"}) {
        if (!document.contains(key)) continue;
        for (json& group : document[key]) {
            for (json& machine : group["machines"]) {
                if (machine["file"] == file) machine["file"] = label;
            }
        }
    }
    for (json& error : document["errors"]) {
        if (error["file"] == file) error["file"] = label;
    }
}

Result<json> ask_daemon(const std::vector<std::string>& arguments, int& code) {
    const auto program = find_daemon();
    if (!program) return tl::unexpected(program.error());
    const auto end = run_child(*program, arguments, longest_document);
    if (!end) return tl::unexpected(end.error());
    json document = json::parse(end->output, nullptr, false);
    if (document.is_discarded() || !document.is_object() || !document.contains("version"))
        return fail(Exit::failed, fmt::format("{} ended with {} and without a plan", *program, end->code));
    if (document["version"] != document_version)
        return fail(Exit::failed, *program + " is of another version than cxlmemctl");
    code = end->code;
    return document;
}

struct Recorded {
    std::string file;
    std::string label;
};

Result<Exit> show_plan(const Args& args, const std::optional<Recorded>& recorded, Output& out) {
    std::vector<std::string> arguments;
    if (!args.policy.empty()) arguments.insert(arguments.end(), {"--policy", as_path(args.policy)});
    if (!args.against.empty()) arguments.insert(arguments.end(), {"--against", as_path(args.against)});
    arguments.emplace_back("--plan-on");
    if (recorded) arguments.push_back(recorded->file);
    std::ranges::transform(args.on, std::back_inserter(arguments), as_path);
    int code = 0;
    auto document = ask_daemon(arguments, code);
    if (!document) return tl::unexpected(document.error());
    if (recorded) rename_file(*document, recorded->file, recorded->label);
    if (out.json()) {
        out.document(*document);
    } else {
        out.text(fleet_view(*document, out.paint()));
    }
    for (const std::string& line : fleet_errors(*document)) out.error(line);
    if (code == 0) return Exit::done;
    return code == matches_nowhere ? Exit::partial : Exit::failed;
}

}  // namespace

Result<Exit> plan_on_files(const Args& args, Output& out) {
    return show_plan(args, std::nullopt, out);
}

Result<Exit> plan_on_daemon(const Args& args, Client& client, Output& out) {
    client.prepare_to_change();  // the record has addresses in it
    const std::string text = client.manager().Record({});
    const auto folder = TemporaryFolder::make();
    if (!folder) return tl::unexpected(folder.error());
    const std::string file = folder->path() + "/machine.toml";
    const auto written = replace_file(file, text);
    if (!written) return tl::unexpected(written.error());
    const std::string label = args.destination.host.empty() ? "this machine" : args.destination.host;
    return show_plan(args, Recorded{file, label}, out);
}

}  // namespace cxlmemctl
