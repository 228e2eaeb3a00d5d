// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/job_commands.h"
#include "cli/names.h"
#include "cli/views.h"

namespace cxlmemctl {

using nlohmann::json;

Result<Exit> plan(const Args& args, Client& client, Output& out) {
    if (args.plans_on_records()) return plan_on_daemon(args, client, out);
    json steps = json::array();
    for (const auto& entry : client.manager().Plan({})) {
        json step = dictionary_to_json(std::get<1>(entry));
        step["Object"] = static_cast<const std::string&>(std::get<0>(entry));
        steps.push_back(std::move(step));
    }
    if (out.json()) {
        out.document(steps);
    } else {
        out.text(plan_view(steps, out.paint()));
    }
    return Exit::done;
}

Result<Exit> apply(const Args& args, Client& client, Output& out) {
    return run_jobs(args, client, out, [&] {
        const auto jobs = client.manager().Apply({});
        return Started{{jobs.begin(), jobs.end()}, std::nullopt};
    });
}

Result<Exit> explain(const Args& args, Client& client, Output& out) {
    const auto device = resolve(client.objects(), args.names.front());
    if (!device) return tl::unexpected(device.error());
    if (device->kind == Kind::job) {
        return fail(Exit::failed,
                    fmt::format("{} is a job: show it, or explain what it works on", device->name));
    }
    json explanation = dictionary_to_json(client.manager().Explain(sdbus::ObjectPath{device->path}, {}));
    if (out.json()) {
        explanation["Object"] = device->path;
        out.document(explanation);
    } else {
        out.text(explain_view(device->path, explanation, out.paint()));
    }
    return Exit::done;
}

Result<Exit> reload(const Args& /*args*/, Client& client, Output& out) {
    client.prepare_to_change();
    const std::uint64_t generation = client.manager().Reload({});
    if (out.json()) {
        out.document({{"PolicyGeneration", generation}});
    } else {
        out.text(fmt::format("policy generation {} is in force\n", generation));
    }
    return Exit::done;
}

void plan_options(OptionSet& set) {
    Args& args = set.args();
    set.app()
        .add_option("--on", args.on, "On these recorded machines, and all in these folders")
        ->type_name("FILE|DIR...");
    set.text("--policy", args.policy, "DIR", "With the policy files in this folder");
    set.text("--against", args.against, "DIR", "Only what changes from the policy files in this folder");
}

void explain_options(OptionSet& set) {
    set.one_name();
}

}  // namespace cxlmemctl
