// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "policy/auto_zone.h"
#include "policy/match.h"
#include "policy/rule_index.h"

namespace cxlmemd {

namespace {

Verdict verdict_of(const Goal& goal, const DevicePlan& plan) {
    if (goal.mode == ModeWish::ignore) return Verdict::ignored;
    if (!plan.steps.empty()) return Verdict::act;
    return plan.blocked ? Verdict::blocked : Verdict::in_policy;
}

std::string reason_of(Verdict verdict, const std::string& rule, const std::string& plan_reason,
                      const std::string& held_why) {
    switch (verdict) {
        case Verdict::unmanaged: return "no rule matches this device: it is only watched";
        case Verdict::ignored: return fmt::format("rule '{}' says mode = ignore: it is only watched", rule);
        case Verdict::held:
            return rule.empty()
                       ? fmt::format("{}, and no rule matches it anyway", held_why)
                       : fmt::format("{}: rule '{}' waits for its release ({})", held_why, rule, plan_reason);
        case Verdict::in_policy: return fmt::format("{}, as rule '{}' says", plan_reason, rule);
        case Verdict::act: return fmt::format("rule '{}': {}", rule, plan_reason);
        case Verdict::blocked: return fmt::format("rule '{}' cannot be fulfilled: {}", rule, plan_reason);
    }
    return plan_reason;
}

// Empty if nothing holds it.
std::string why_held(const Topology& topology, const Holds& holds, const DaxDevice& device) {
    if (const Memdev* card = card_to_be_pulled(holds, topology, device))
        return fmt::format("it stands on {}, which is {}", card->name,
                           words_of(holds.cards.at(card_of(*card))));
    return is_held_by_hand(holds, topology, device) ? "an administrator holds it" : "";
}

// Rules found, nothing planned yet.
std::vector<Decision> choose_rules(const Topology& topology, const Policy& policy, const Holds& holds) {
    RuleIndex index{policy};
    std::vector<Decision> out;
    out.reserve(topology.dax_devices.size());
    for (const DaxDevice& device : topology.dax_devices) {
        Decision& decision = out.emplace_back();
        decision.device = device.id;
        if (const Rule* rule = index.find(facts_of(topology, device)); rule != nullptr) {
            decision.rule = rule->name;
            decision.place = rule->place;
            decision.goal = rule->goal;
        }
        decision.held_why = why_held(topology, holds, device);
        if (!decision.held_why.empty()) decision.verdict = Verdict::held;
    }
    return out;
}

// Settles zone = "auto" for all devices together.
void resolve_zones(const Topology& topology, const Policy& policy, std::vector<Decision>& decisions) {
    if (!policy.max_movable_ratio) return;
    std::vector<Wish> wishes;
    wishes.reserve(decisions.size());
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const Decision& decision = decisions[i];
        const bool stays = decision.verdict == Verdict::held || !decision.goal;
        wishes.push_back({&topology.dax_devices[i], stays ? nullptr : &*decision.goal});
    }
    const auto splits = split_automatic(topology, wishes, *policy.max_movable_ratio);
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        if (splits[i]) decisions[i].goal->split = splits[i];
    }
}

void plan(const Topology& topology, const DaxDevice& device, Bytes& kernel_promised, Decision& decision) {
    if (decision.goal) {
        decision.plan = plan_device(topology, device, *decision.goal, kernel_promised);
        if (decision.verdict != Verdict::held) decision.verdict = verdict_of(*decision.goal, decision.plan);
    }
    if (decision.verdict == Verdict::held) decision.plan.steps.clear();  // not carried out by oversight
    const bool binds = std::ranges::any_of(decision.plan.steps, [](const Step& step) {
        return step.kind == StepKind::set_mode && step.mode == DaxMode::system_ram;
    });
    if (binds) kernel_promised += struct_page_bytes(topology, device);
    decision.reason = reason_of(decision.verdict, decision.rule, decision.plan.reason, decision.held_why);
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::unmanaged: return "unmanaged";
        case Verdict::ignored: return "ignored";
        case Verdict::held: return "held";
        case Verdict::in_policy: return "in-policy";
        case Verdict::act: return "act";
        case Verdict::blocked: return "blocked";
    }
    return "unmanaged";
}

std::vector<Decision> decide(const Topology& topology, const Policy& policy, const Holds& holds) {
    std::vector<Decision> decisions = choose_rules(topology, policy, holds);
    resolve_zones(topology, policy, decisions);
    Bytes kernel_promised;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        plan(topology, topology.dax_devices[i], kernel_promised, decisions[i]);
    }
    return decisions;
}

bool bound_stand_alone(const Topology& topology, const std::vector<Decision>& decisions) {
    if (topology.dax_devices.size() != decisions.size()) return false;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const std::optional<Goal>& goal = decisions[i].goal;
        if (!goal) continue;
        if (goal->zone == ZoneWish::automatic) return false;
        // What its bind may take from the kernel zones rests on what is in them.
        const bool binds =
            goal->mode == ModeWish::system_ram && topology.dax_devices[i].mode != DaxMode::system_ram;
        if (binds) return false;
    }
    return true;
}

void plan_again(const Topology& topology, const DaxDevice& device, Decision& decision) {
    Bytes kernel_promised;  // of no concern to a device that is bound
    plan(topology, device, kernel_promised, decision);
}

std::vector<std::size_t> order_of_work(const Topology& topology, const std::vector<Decision>& decisions) {
    const auto gives_up_movable = [&](const Step& step) {
        return step.kind == StepKind::offline && std::ranges::any_of(step.blocks, [&](BlockIndex index) {
                   const Block* block = find_block(topology, index);
                   return block != nullptr && block->zone == Zone::movable;
               });
    };
    const auto rank = [&](const Decision& decision) {
        if (!decision.goal || decision.goal->zone != ZoneWish::automatic) return 1;
        return std::ranges::any_of(decision.plan.steps, gives_up_movable) ? 0 : 2;
    };
    // The kernel searches a zone from its lowest page on: memory that comes online below what the zone has
    // costs no search of it, and neither does going offline from below (block_order.h). Devices under "auto"
    // stay in the order in which their parts were reckoned.
    struct Turn {
        int rank = 1;
        std::size_t node = 0;  // the first device that lands there
        bool brings = false;
        std::uint64_t place = 0;
    };
    std::unordered_map<int, std::size_t> first_on;
    std::vector<Turn> turns;
    turns.reserve(decisions.size());
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const Decision& decision = decisions[i];
        Turn& turn = turns.emplace_back(Turn{.rank = rank(decision)});
        if (turn.rank != 1) continue;
        turn.node = first_on.try_emplace(topology.dax_devices[i].target_node.value(), i).first->second;
        turn.brings = std::ranges::find(decision.plan.steps, StepKind::online, &Step::kind) !=
                      decision.plan.steps.end();
        turn.place = decision.device.start.value();
        if (turn.brings) turn.place = ~turn.place;
    }
    std::vector<std::size_t> out(decisions.size());
    std::iota(out.begin(), out.end(), std::size_t{0});
    std::ranges::stable_sort(out, {}, [&](std::size_t i) {
        return std::tuple{turns[i].rank, turns[i].node, turns[i].brings, turns[i].place};
    });
    return out;
}

Goal resolved(const Topology& topology, const Policy& policy, const Holds& holds, const DaxDevice& device,
              Goal goal) {
    if (goal.zone != ZoneWish::automatic) return goal;
    std::vector<Decision> decisions = choose_rules(topology, policy, holds);
    const auto it = std::ranges::find(decisions, device.id, &Decision::device);
    if (it == decisions.end()) return goal;
    it->goal = std::move(goal);
    it->verdict = Verdict::act;
    resolve_zones(topology, policy, decisions);
    return *it->goal;
}

std::vector<RejectedRule> rejected_rules(const Topology& topology, const Policy& policy,
                                         const DaxDevice& device) {
    std::vector<RejectedRule> out;
    for (const Rule& rule : policy.rules) {
        std::optional<Mismatch> why = mismatch(topology, device, rule.match);
        if (!why) break;  // this one decides; later rules were not asked
        out.push_back({rule.name, rule.place, std::move(*why)});
    }
    return out;
}

}  // namespace cxlmemd
