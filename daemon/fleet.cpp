// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/fleet.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "daemon/facts_builder.h"
#include "daemon/json_text.h"
#include "policy/decide.h"
#include "policy/listing.h"
#include "policy/tuning.h"

namespace cxlmemd {

namespace {

using Kind = OutcomeItem::Kind;

JsonObject step_json(const bus::PlanEntry& entry) {
    JsonObject out;
    out.text("action", entry.action);
    if (!entry.mode.empty()) out.text("mode", entry.mode);
    if (entry.zone != "none") out.text("zone", entry.zone);
    if (entry.blocks != 0) out.number("blocks", entry.blocks).number("bytes", entry.bytes);
    return out;
}

// What the rule makes of a device, beside the steps that are due now: it counts when something changes.
std::string drain_words(const Goal& goal) {
    return "drain timeout " + std::to_string(goal.drain.timeout_usec) + " us, retries " +
           std::to_string(goal.drain.retries) + (goal.drain.rollback ? ", rollback" : ", no rollback");
}

std::string rule_words(const Policy& policy, const std::string& rule) {
    const auto found = std::ranges::find(policy.rules, rule, &Rule::name);
    if (found == policy.rules.end()) return {};
    Policy alone;
    alone.rules.push_back(*found);
    return listing(alone).front().action;
}

OutcomeItem device_item(const Topology& topology, const Policy& policy, const Decision& decision) {
    JsonList steps;
    std::string obstacle;
    for (const bus::PlanEntry& entry : build_plan(topology, decision)) {
        if (entry.action == "blocked") {
            obstacle = entry.reason;
        } else {
            steps.raw(step_json(entry).take());
        }
    }
    const DaxDevice* device = find_dax(topology, decision.device);
    JsonObject gist;
    gist.text("name", decision.device.name);
    if (device != nullptr) gist.number("bytes", device->size.value());
    gist.text("verdict", to_string(decision.verdict)).text("rule", decision.rule);
    gist.text("does", rule_words(policy, decision.rule));
    if (decision.goal) gist.text("drain", drain_words(*decision.goal));
    gist.raw("steps", steps.take()).text("obstacle", obstacle);
    JsonObject full = gist;
    full.text("reason", decision.verdict == Verdict::act ? decision.plan.reason : decision.reason);
    if (!decision.rule.empty()) full.text("file", decision.place.file).number("line", decision.place.line);
    return {Kind::device, decision.device.name, full.take(), gist.take()};
}

// Nothing that is as its table says already.
void add_regions(const Topology& topology, const Policy& policy, Outcome& out) {
    const Holds none;
    Model model{none};
    model.topology = topology;
    model.policy = policy;
    for (const bus::PlanEntry& entry : build_region_plan(model)) {
        JsonObject gist;
        gist.text("name", entry.rule).text("action", entry.action).number("bytes", entry.bytes);
        JsonObject full = gist;
        full.text("reason", entry.reason).text("file", entry.file).number("line", entry.line);
        if (entry.action == "blocked") gist.text("obstacle", entry.reason);
        out.push_back({Kind::region, entry.rule, full.take(), gist.take()});
    }
}

void add_tuning(const Topology& topology, const FleetPolicy& policy, Outcome& out) {
    const TuningPlan plan = plan_tuning(topology, policy.policy, policy.settings.demotion);
    for (const TuningWish& wish : plan.wishes) {
        if (wish.holds) continue;
        JsonObject gist;
        gist.text("name", describe(wish)).number("value", wish.value);
        JsonObject full = gist;
        full.text("reason", wish.reason);
        out.push_back({Kind::tuning, describe(wish), full.take(), gist.take()});
    }
    for (const std::string& obstacle : plan.obstacles) {
        const std::string json = JsonObject{}.text("name", obstacle).text("obstacle", obstacle).take();
        out.push_back({Kind::tuning, obstacle, json, json});
    }
}

const char* list_name(Kind kind) {
    switch (kind) {
        case Kind::device: return "devices";
        case Kind::region: return "regions";
        case Kind::tuning: return "tuning";
    }
    return "";
}

constexpr Kind all_kinds[] = {Kind::device, Kind::region, Kind::tuning};

// "devices":[...],"regions":[...],"tuning":[...] without the braces around it.
template <class Item, class ToJson>
std::string lists(const std::vector<Item>& items, const ToJson& to_json) {
    JsonObject out;
    for (const Kind kind : all_kinds) {
        JsonList list;
        for (const Item& item : items) {
            if (item.kind == kind) list.raw(to_json(item));
        }
        out.raw(list_name(kind), list.take());
    }
    const std::string braced = out.take();
    return braced.substr(1, braced.size() - 2);
}

struct ItemChange {
    Kind kind = Kind::device;
    std::string json;
};

std::vector<ItemChange> changes(const Outcome& before, const Outcome& after) {
    std::vector<ItemChange> out;
    const auto add = [&](const OutcomeItem& named, const std::string& was, const std::string& is) {
        out.push_back(
            {named.kind, JsonObject{}.text("name", named.name).raw("before", was).raw("after", is).take()});
    };
    std::set<std::pair<Kind, std::string>> seen;
    for (const OutcomeItem& is : after) {
        seen.emplace(is.kind, is.name);
        const auto was = std::ranges::find_if(
            before, [&](const OutcomeItem& item) { return item.kind == is.kind && item.name == is.name; });
        if (was == before.end()) {
            add(is, "null", is.json);
        } else if (was->gist != is.gist) {
            add(is, was->json, is.json);
        }
    }
    for (const OutcomeItem& was : before) {
        if (!seen.contains({was.kind, was.name})) add(was, was.json, "null");
    }
    return out;
}

bool names_a_card(const RegionWish& wish, const Topology& topology) {
    return std::ranges::any_of(topology.memdevs, [&](const Memdev& memdev) {
        const bool is_host = std::ranges::find(wish.memdev_host, memdev.host) != wish.memdev_host.end();
        const bool is_serial =
            std::ranges::find(wish.memdev_serial, memdev.serial) != wish.memdev_serial.end();
        return wish.memdev_serial.empty() ? is_host : is_serial;
    });
}

bool names_a_node(const NodeTuning& tuning, const Topology& topology) {
    const auto is_listed = [&](NodeId id) {
        return tuning.id.empty() || std::ranges::find(tuning.id, id) != tuning.id.end();
    };
    if (tuning.kind.empty()) {
        return std::ranges::any_of(topology.nodes, [&](const Node& node) { return is_listed(node.id); }) ||
               std::ranges::any_of(topology.dax_devices,
                                   [&](const DaxDevice& device) { return is_listed(device.target_node); });
    }
    return std::ranges::any_of(topology.dax_devices, [&](const DaxDevice& device) {
        return is_listed(device.target_node) &&
               std::ranges::find(tuning.kind, device.kind) != tuning.kind.end();
    });
}

}  // namespace

Outcome outcome_of(const Topology& topology, const FleetPolicy& policy) {
    Outcome out;
    for (const Decision& decision : decide(topology, policy.policy, {})) {
        out.push_back(device_item(topology, policy.policy, decision));
    }
    if (!policy.policy.regions.empty()) add_regions(topology, policy.policy, out);
    add_tuning(topology, policy, out);
    return out;
}

FleetPlan::FleetPlan(const FleetPolicy& policy, const FleetPolicy* before)
    : policy_(policy),
      before_(before),
      rule_matches_(policy.policy.rules.size()),
      rule_decides_(policy.policy.rules.size()),
      region_matches_(policy.policy.regions.size()),
      node_matches_(policy.policy.nodes.size()) {}

void FleetPlan::add(const FleetMachine& machine, const Topology& topology) {
    ++machines_;
    see_matches(topology);
    const Outcome after = outcome_of(topology, policy_);
    if (before_ == nullptr) {
        put(lists(after, [](const OutcomeItem& item) { return item.json; }), machine);
        return;
    }
    const std::vector<ItemChange> changed = changes(outcome_of(topology, *before_), after);
    if (changed.empty()) {
        ++unchanged_;
    } else {
        put(lists(changed, [](const ItemChange& item) { return item.json; }), machine);
    }
}

// Behind the rule that decides about a device only those are asked that have matched nowhere yet: many rules
// on many machines cost little.
void FleetPlan::see_matches(const Topology& topology) {
    const Policy& policy = policy_.policy;
    for (const DaxDevice& device : topology.dax_devices) {
        bool is_decided = false;
        for (std::size_t i = 0; i < policy.rules.size(); ++i) {
            if (is_decided && rule_matches_[i]) continue;
            if (mismatch(topology, device, policy.rules[i].match)) continue;
            rule_matches_[i] = true;
            if (!std::exchange(is_decided, true)) rule_decides_[i] = true;
        }
    }
    for (std::size_t i = 0; i < policy.regions.size(); ++i) {
        region_matches_[i] = region_matches_[i] || names_a_card(policy.regions[i], topology);
    }
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        node_matches_[i] = node_matches_[i] || names_a_node(policy.nodes[i], topology);
    }
}

void FleetPlan::put(std::string body, const FleetMachine& machine) {
    const auto [at, is_new] = by_body_.emplace(std::move(body), groups_.size());
    if (is_new) groups_.push_back({at->first, {}});
    groups_[at->second].machines.push_back(machine);
}

std::vector<IdleTable> FleetPlan::unmatched() const {
    std::vector<IdleTable> out;
    const Policy& policy = policy_.policy;
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
        if (!rule_matches_[i]) out.push_back({"rule", policy.rules[i].name, policy.rules[i].place});
    }
    for (std::size_t i = 0; i < policy.regions.size(); ++i) {
        if (!region_matches_[i]) out.push_back({"region", policy.regions[i].name, policy.regions[i].place});
    }
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        if (!node_matches_[i]) out.push_back({"node", {}, policy.nodes[i].place});
    }
    return out;
}

std::vector<IdleTable> FleetPlan::shadowed() const {
    std::vector<IdleTable> out;
    for (std::size_t i = 0; i < policy_.policy.rules.size(); ++i) {
        const Rule& rule = policy_.policy.rules[i];
        if (rule_matches_[i] && !rule_decides_[i]) out.push_back({"rule", rule.name, rule.place});
    }
    return out;
}

std::string FleetPlan::groups_json() const {
    std::vector<const Group*> order;
    for (const Group& group : groups_) order.push_back(&group);
    std::ranges::stable_sort(order, std::ranges::greater{},
                             [](const Group* group) { return group->machines.size(); });
    JsonList out;
    for (const Group* group : order) {
        JsonList machines;
        for (const FleetMachine& machine : group->machines) {
            machines.raw(JsonObject{}.text("file", machine.file).text("host", machine.host).take());
        }
        out.raw("{\"machines\":" + machines.take() + "," + group->body + "}");
    }
    return out.take();
}

}  // namespace cxlmemd
