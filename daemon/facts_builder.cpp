// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/facts_builder.h"

#include <algorithm>
#include <map>

#include "dbus/guard.h"
#include "dbus/names.h"
#include "policy/hardware_words.h"
#include "policy/match.h"
#include "policy/root_decoders.h"
#include "policy/state_plan.h"
#include "policy/summary.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

using bus::Noun;
using bus::object_path;

std::pair<std::string, std::string> to_pair(const std::optional<Error>& error) {
    if (!error) return {};
    return {bus::bus_error_name(error->code), visible(without_addresses(error->text()))};
}

bus::PerformanceFacts performance(const AccessCoordinates& access) {
    return {.read_latency = access.read_latency.value_or(Nanoseconds{}).value(),
            .write_latency = access.write_latency.value_or(Nanoseconds{}).value(),
            .read_bandwidth = access.read_bandwidth.value_or(MegabytesPerSecond{}).value(),
            .write_bandwidth = access.write_bandwidth.value_or(MegabytesPerSecond{}).value()};
}

std::string node_name(NodeId id) {
    return "node" + std::to_string(id.value());
}

std::vector<std::string> feature_words(const Features& f) {
    std::vector<std::string> out;
    const auto add = [&](bool has, const char* word) {
        if (has) out.emplace_back(word);
    };
    add(f.dax_state, "dax-state");
    add(f.weighted_interleave, "weighted-interleave");
    add(f.weighted_interleave_auto, "weighted-interleave-auto");
    add(f.access_coordinates, "access-coordinates");
    add(f.region_create, "region-create");
    add(f.memory_hotremove, "memory-hotremove");
    add(f.demotion, "demotion");
    add(f.famfs, "famfs");
    return out;
}

bool is_degraded(const Model& model, const Totals& totals) {
    return model.observe_forced || model.scan_error || !model.stuck_call.empty() ||
           has_errors(model.policy_problems) || !totals.failing.empty() || !totals.devices.leaked.empty() ||
           !model.topology.unreadable.empty() || model.region_failing;
}

// How far PrepareRemove has come with the card.
std::string preparation(const Model& model, const Memdev& memdev) {
    const auto mark = model.holds.cards.find(card_of(memdev));
    if (mark == model.holds.cards.end()) return {};
    if (mark->second == CardState::emptying) return "emptying";
    return is_drained(model.topology, memdev) ? "ready" : "occupied";
}

bus::NodeFacts node_facts(const Node& n, std::vector<std::string> dax_devices) {
    return {.name = node_name(n.id),
            .id = n.id.value(),
            .has_cpu = n.has_cpu,
            .bytes_online = (n.bytes_kernel + n.bytes_movable).value(),
            .bytes_movable = n.bytes_movable.value(),
            .tier = n.tier.value_or(-1),
            .performance = performance(n.access),
            .interleave_weight = n.interleave_weight.value_or(0),
            .dax_devices = std::move(dax_devices)};
}

}  // namespace

bool are_addresses_public(const DaxDevice& device) {
    return device.kind == DaxKind::cxl_ram &&
           (device.mode == DaxMode::system_ram || device.mode == DaxMode::unbound);
}

Totals totals_of(const Model& model) {
    Totals out{.devices = totals_of(model.topology), .failing = {}};
    for (const auto& [name, note] : model.notes) {
        if (note.trouble) out.failing.insert(name);
    }
    return out;
}

bool is_failing(const Model& model, const std::string& dax) {
    const auto note = model.notes.find(dax);
    return note != model.notes.end() && note->second.trouble.has_value();
}

bus::ManagerFacts build_manager(const Model& model, const Totals& totals, bool working) {
    const AutoOnlineCare care = model.settings.auto_online == AutoOnlineHandling::leave
                                    ? AutoOnlineCare::nobody
                                : model.observing() ? AutoOnlineCare::watched
                                                    : AutoOnlineCare::daemon;
    const MachineSummary machine = summarize(model.topology, model.policy, totals.devices, care);
    bus::ManagerFacts out;
    out.mode = model.observing() ? "observe" : "enforce";
    // A worker that hangs in the kernel has work under way for ever: that is not "working".
    out.state = working && model.stuck_call.empty() ? "working"
                : is_degraded(model, totals)        ? "degraded"
                                                    : "idle";
    for (const std::string& file : model.policy_files) out.policy_files.push_back(visible(file));
    out.policy_generation = model.policy_generation;
    out.policy_pending = model.policy_pending;
    out.policy_problems = model.policy_problems;
    out.policy_problems_in_force = model.policy_problems_in_force;
    close_text(out.policy_problems, model.closed_files);
    close_text(out.policy_problems_in_force, model.closed_files);
    out.kernel_auto_online = to_string(model.topology.auto_online);
    for (const auto* conflicts :
         {&machine.conflicts, &model.tuning_conflicts, &model.region_conflicts, &model.card_conflicts}) {
        for (Conflict c : *conflicts) {
            close_text(c.message, model.closed_files);
            out.conflicts.emplace_back(c.kind, visible(c.message));
        }
    }
    if (model.scan_error) out.conflicts.emplace_back("unreadable", visible(model.scan_error->text()));
    if (!model.stuck_call.empty()) {
        out.conflicts.emplace_back("worker",
                                   "stuck in the kernel: " + visible(model.stuck_call) +
                                       " has not returned; until it does, nothing can be done to memory");
    }
    out.features = feature_words(model.topology.features);
    out.block_size = model.topology.block_size.value();
    out.bytes_total = machine.bytes_total.value();
    out.bytes_online = machine.bytes_online.value();
    out.movable_ratio = machine.movable_ratio;
    return out;
}

bus::DaxFacts build_dax(const Model& model, const DaxDevice& device, const Decision* decision) {
    const DaxSummary s = summarize(model.topology, device);
    bus::DaxFacts out;
    out.name = device.id.name;
    out.identity = device.id;
    out.kind = to_string(device.kind);
    const Whereabouts place = whereabouts_of(model.topology, device);  // what rules go by
    if (place.region && find_region(model.topology, *place.region) != nullptr)
        out.region = object_path(Noun::region, std::string{*place.region});
    if (place.root_decoder) out.root_decoder = visible(*place.root_decoder);
    for (const std::string_view memdev : place.memdevs)
        out.memdevs.push_back(object_path(Noun::memdev, std::string{memdev}));
    if (find_node(model.topology, device.target_node) != nullptr) {
        out.node = object_path(Noun::node, node_name(device.target_node));
    }
    out.target_node = device.target_node.value();
    out.size = device.size.value();
    out.address.start = device.resource.value();
    out.align = device.align.value();
    for (const PhysRange& range : device.ranges)
        out.address.ranges.emplace_back(range.start.value(), range.size.value());
    if (are_addresses_public(device)) {
        out.resource = out.address.start;
        out.ranges = out.address.ranges;
    }
    out.mode = to_string(device.mode);
    if (device.hotplug_state) out.hotplug_state = to_string(*device.hotplug_state);
    out.hotplug_note = hotplug_note(model.topology, device);
    out.state = to_string(s.state);
    out.zone = to_string(s.zone);
    out.blocks_total = s.blocks_total;
    out.blocks_online = s.blocks_online;
    out.blocks_movable = s.blocks_movable;
    out.bytes_online = s.bytes_online.value();
    out.bytes_stranded = s.bytes_stranded.value();
    out.held = !model.holds.empty() && is_held(model.holds, model.topology, device);
    out.reboot_required = s.reboot_required;
    bool is_text_closed = false;
    if (decision != nullptr) {
        out.rule = decision->rule;
        is_text_closed = is_closed(model.closed_files, decision->place);
        out.reason = is_text_closed ? closed_words : visible(decision->reason);
        // What policy leaves alone is as policy wants it.
        out.in_policy = decision->verdict == Verdict::in_policy || decision->verdict == Verdict::ignored ||
                        decision->verdict == Verdict::unmanaged;
    }
    const auto note = model.notes.find(device.id.name);
    if (note != model.notes.end() && note->second.device == device.id) {
        const std::optional<Trouble>& trouble = note->second.trouble;
        if (trouble) out.last_error = to_pair(trouble->error);
        // What the rule asks for and cannot have is the rule's text.
        if (is_text_closed && trouble && trouble->error == decision->plan.blocked) {
            out.last_error.second = closed_words;
        }
    }
    return out;
}

bus::NodeMemory build_node_memory(const Node& node) {
    return {.name = node_name(node.id),
            .bytes_online = (node.bytes_kernel + node.bytes_movable).value(),
            .bytes_movable = node.bytes_movable.value()};
}

bus::Snapshot build_snapshot(const Model& model, const Totals& totals, bool working) {
    const Topology& topology = model.topology;
    bus::Snapshot out;
    out.manager = build_manager(model, totals, working);

    std::map<std::string, std::vector<std::string>> regions_of_memdev;
    std::map<std::string, std::vector<std::string>> dax_of_region;
    std::map<std::string, NodeId> node_of_region;
    std::map<NodeId, std::vector<std::string>> dax_of_node;
    for (const Region& region : topology.regions) {
        for (const std::string& memdev : region.memdevs) {
            regions_of_memdev[memdev].push_back(object_path(Noun::region, region.name));
        }
    }
    for (const DaxDevice& device : topology.dax_devices) {
        const std::string path = object_path(Noun::dax, device.id.name);
        dax_of_node[device.target_node].push_back(path);
        const std::string region = region_of(topology, device);
        if (region.empty()) continue;
        dax_of_region[region].push_back(path);
        node_of_region.emplace(region, device.target_node);
    }

    const std::vector<std::string> reasons = why_no_memory(topology);
    for (const Memdev& m : topology.memdevs) {
        out.memdevs.push_back({.name = m.name,
                               .generation = m.generation,
                               .serial = m.serial,
                               .host = visible(m.host),
                               .numa_node = m.numa_node.value(),
                               .ram_size = m.ram_size.value(),
                               .pmem_size = m.pmem_size.value(),
                               .firmware = visible(m.firmware),
                               .preparation = preparation(model, m),
                               .regions = regions_of_memdev[m.name],
                               .reason = visible(reasons[out.memdevs.size()])});
    }
    for (const RootDecoder& root : topology.root_decoders) {
        bus::RootDecoderFacts facts;
        facts.name = root.name;
        facts.size = root.window.size.value();
        for (const PhysRange& gap : free_in(topology, root)) facts.free += gap.size.value();
        for (const std::string& target : root.targets) facts.targets.push_back(visible(target));
        facts.interleave_ways = root.interleave_ways;
        facts.interleave_granularity = root.interleave_granularity;
        facts.takes_ram = root.volatile_capable;
        facts.takes_pmem = root.pmem_capable;
        facts.qos_class = root.qos_class.value_or(-1);
        for (const std::string& memdev : root.memdevs) {
            if (find_memdev(topology, memdev) != nullptr)
                facts.memdevs.push_back(object_path(Noun::memdev, memdev));
        }
        out.root_decoders.push_back(std::move(facts));
    }
    for (const Region& r : topology.regions) {
        bus::RegionFacts facts;
        facts.name = r.name;
        facts.generation = r.generation;
        facts.type = to_string(r.type);
        facts.size = r.size.value();
        facts.resource = r.resource.value();
        facts.interleave_ways = r.interleave_ways;
        facts.interleave_granularity = r.interleave_granularity;
        facts.root_decoder = visible(r.root_decoder);
        for (const std::string& memdev : r.memdevs) {
            if (find_memdev(topology, memdev) == nullptr) continue;  // pulled, and its region is still there
            facts.memdevs.push_back(object_path(Noun::memdev, memdev));
        }
        facts.dax_devices = dax_of_region[r.name];
        const auto node = node_of_region.find(r.name);
        facts.target_node = node == node_of_region.end() ? -1 : node->second.value();
        facts.qos_class = r.qos_class.value_or(-1);
        facts.locked = r.locked;
        facts.enabled = !r.disabled;
        facts.performance = performance(r.access);
        out.regions.push_back(std::move(facts));
    }
    for (const Node& n : topology.nodes) {
        out.nodes.push_back(node_facts(n, std::move(dax_of_node[n.id])));
    }
    std::map<std::string, const Decision*> decision_of;
    for (const Decision& d : model.decisions) decision_of.emplace(d.device.name, &d);
    for (const DaxDevice& device : topology.dax_devices) {
        const auto found = decision_of.find(device.id.name);
        const Decision* decision =
            found != decision_of.end() && found->second->device == device.id ? found->second : nullptr;
        out.dax_devices.push_back(build_dax(model, device, decision));
    }
    return out;
}

bus::JobFacts build_job(const Job& job) {
    bus::JobFacts out;
    out.id = job.id;
    out.operation = job.order.operation;
    const bool of_region = std::holds_alternative<RegionIdentity>(job.order.target);
    const Noun noun = !is_removal(job.order.target) ? Noun::dax : of_region ? Noun::region : Noun::memdev;
    out.object = object_path(noun, name_of(job.order.target));
    out.state = to_string(job.state);
    const bool over = job.state == JobState::finished;
    const std::uint64_t done =
        job.progress.finished.size() +
        (job.progress.step_finishes && !job.rolling_back() ? job.progress.step_reached : 0);
    out.blocks_done = static_cast<std::uint32_t>(std::min<std::uint64_t>(done, job.progress.blocks_total));
    out.blocks_total = static_cast<std::uint32_t>(job.progress.blocks_total);
    out.progress = job.progress.fraction;
    out.started_by = job.order.started_by;
    out.result = over ? std::string{to_string(job.result)} : std::string{};
    out.error = to_pair(job.error);
    return out;
}

std::vector<bus::PlanEntry> build_plan(const Topology& topology, const Decision& decision) {
    std::vector<bus::PlanEntry> out;
    bus::PlanEntry entry{.dax = decision.device.name,
                         .action = {},
                         .zone = "none",
                         .mode = {},
                         .blocks = 0,
                         .bytes = 0,
                         .rule = decision.rule,
                         .file = decision.place.file,
                         .line = decision.place.line,
                         .reason = decision.reason};
    if (decision.verdict == Verdict::act) {
        for (const Step& step : decision.plan.steps) {
            entry.action = step.kind == StepKind::set_mode  ? "set-mode"
                           : step.kind == StepKind::unplug  ? "unplug"
                           : step.kind == StepKind::offline ? "offline"
                                                            : "online";
            entry.zone = to_string(step.zone);
            entry.blocks = static_cast<std::uint32_t>(step.blocks.size());
            entry.bytes = step.blocks.size() * topology.block_size.value();
            entry.mode = step.kind == StepKind::set_mode ? std::string{to_string(step.mode)} : std::string{};
            entry.reason = decision.plan.reason;
            out.push_back(entry);
        }
    }
    if (decision.plan.blocked && decision.verdict != Verdict::held) {
        entry.action = "blocked";
        entry.mode.clear();
        entry.zone = "none";
        entry.blocks = 0;
        entry.bytes = 0;
        entry.reason = decision.plan.blocked->text();
        out.push_back(entry);
    }
    return out;
}

std::vector<bus::PlanEntry> build_region_plan(const Model& model) {
    std::vector<bus::PlanEntry> out;
    std::vector<RegionDecision> decisions =
        decide_regions(model.topology, model.policy, model.removed_regions);
    keep_off_cards(decisions, model.topology, model.holds.cards);
    for (const RegionDecision& decision : decisions) {
        if (decision.verdict == RegionVerdict::there || decision.verdict == RegionVerdict::removed) continue;
        out.push_back({.dax = {},
                       .action = decision.verdict == RegionVerdict::create ? "create-region" : "blocked",
                       .zone = "none",
                       .mode = {},
                       .blocks = 0,
                       .bytes = decision.setup ? decision.setup->size.value() : 0,
                       .rule = decision.name,
                       .file = decision.place.file,
                       .line = decision.place.line,
                       .reason = decision.reason});
    }
    return out;
}

bus::PlanEntry build_decision(const Topology& topology, const Decision& decision) {
    const auto plan = build_plan(topology, decision);
    if (!plan.empty()) return plan.front();
    return {.dax = decision.device.name,
            .action = "none",
            .zone = "none",
            .mode = {},
            .blocks = 0,
            .bytes = 0,
            .rule = decision.rule,
            .file = decision.place.file,
            .line = decision.place.line,
            .reason = decision.reason};
}

}  // namespace cxlmemd
