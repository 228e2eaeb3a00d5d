// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace cxlmemd {

namespace {

// In [[node]] interleave_weight; see NodeTuning.
constexpr std::uint32_t automatic = 0;

// mm/mempolicy.c: more would make a round through all nodes too long.
constexpr std::uint64_t weightiness = 32;

bool has_memory(const Node& node) {
    return node.bytes_kernel.value() + node.bytes_movable.value() != 0;
}

// Memory of these kinds is on the node; the first device of it.
const DaxDevice* carried(const Topology& topology, const Node& node, const std::vector<DaxKind>& kinds) {
    const auto it = std::ranges::find_if(topology.dax_devices, [&](const DaxDevice& device) {
        return device.target_node == node.id && device.mode == DaxMode::system_ram &&
               std::ranges::find(kinds, device.kind) != kinds.end();
    });
    return it == topology.dax_devices.end() ? nullptr : &*it;
}

const NodeTuning* table_for(const Topology& topology, const Policy& policy, const Node& node) {
    const auto found = std::ranges::find_if(policy.nodes, [&](const NodeTuning& table) {
        if (std::ranges::find(table.id, node.id) != table.id.end()) return true;
        // A node with CPUs is DRAM first: its weight is not a card's.
        return !node.has_cpu && carried(topology, node, table.kind) != nullptr;
    });
    return found == policy.nodes.end() ? nullptr : &*found;
}

std::string place_of(const NodeTuning& table) {
    return fmt::format("{}:{}", table.place.file, table.place.line);
}

std::optional<MegabytesPerSecond> bandwidth_of(const Node& node) {
    if (!node.access.read_bandwidth || !node.access.write_bandwidth) return std::nullopt;
    return std::min(*node.access.read_bandwidth, *node.access.write_bandwidth);
}

struct Computed {
    std::map<NodeId, std::uint32_t> weights;  // empty if a bandwidth is unknown
    std::string unknown;                      // of which nodes
};

Computed compute(const Topology& topology) {
    std::vector<NodeId> nodes;
    std::vector<MegabytesPerSecond> bandwidths;
    Computed out;
    for (const Node& node : topology.nodes) {
        if (!has_memory(node)) continue;
        if (const auto bandwidth = bandwidth_of(node)) {
            nodes.push_back(node.id);
            bandwidths.push_back(*bandwidth);
        } else {
            out.unknown += fmt::format("{}node {}", out.unknown.empty() ? "" : ", ", node.id.value());
        }
    }
    if (!out.unknown.empty()) return out;
    const std::vector<std::uint32_t> weights = automatic_weights(bandwidths);
    for (std::size_t i = 0; i < nodes.size(); ++i) out.weights.emplace(nodes[i], weights[i]);
    return out;
}

struct Tuned {
    const Node* node = nullptr;
    const NodeTuning* table = nullptr;
};

TuningWish weight_wish(const Tuned& tuned, std::uint32_t weight, const std::string& why) {
    return {.tunable = Tunable::interleave_weight,
            .node = tuned.node->id,
            .value = weight,
            .holds = tuned.node->interleave_weight == weight,
            .reason = fmt::format("{} ({})", why, place_of(*tuned.table))};
}

std::string weight_words(const Node& node) {
    return node.interleave_weight ? fmt::format("{}", *node.interleave_weight) : "nothing";
}

// The kernel's own mode counts a bandwidth that it does not know as 0 (mm/mempolicy.c).
void say_unknown(const std::vector<Tuned>& tuned, TuningPlan& out) {
    for (const Tuned& one : tuned) {
        if (bandwidth_of(*one.node)) continue;
        out.obstacles.push_back(
            fmt::format("the kernel knows no bandwidth of node {}, so that \"auto\" ({}) gives it the least "
                        "weight, whatever "
                        "it is worth: it reads {}",
                        one.node->id.value(), place_of(*one.table), weight_words(*one.node)));
    }
}

void plan_computed(const Topology& topology, const std::vector<Tuned>& tuned, TuningPlan& out) {
    const Computed computed = compute(topology);
    for (const Tuned& one : tuned) {
        if (one.table->interleave_weight != automatic) continue;
        if (computed.weights.empty()) {
            out.obstacles.push_back(fmt::format(
                "the interleave weight of node {} is not computed, and reads {}: \"auto\" ({}) needs the "
                "bandwidth of every node with memory, and the kernel reports none for {}",
                one.node->id.value(), weight_words(*one.node), place_of(*one.table), computed.unknown));
            continue;
        }
        out.wishes.push_back(weight_wish(one, computed.weights.at(one.node->id),
                                         "by the bandwidths of all nodes with memory"));
    }
    if (computed.weights.empty()) return;
    // A weight means something against the others only.
    for (const Node& node : topology.nodes) {
        const auto weight = computed.weights.find(node.id);
        const bool is_tuned =
            std::ranges::any_of(tuned, [&](const Tuned& one) { return one.node->id == node.id; });
        if (weight == computed.weights.end() || is_tuned || node.interleave_weight == weight->second)
            continue;
        out.obstacles.push_back(fmt::format(
            "no [[node]] table is about node {}: its interleave weight stays {}, where {} would go "
            "with the automatic weights of the others",
            node.id.value(), node.interleave_weight.value_or(1), weight->second));
    }
}

// Tables that ask by kind for the weight of a node with CPUs.
void say_left_alone(const Topology& topology, const Policy& policy, TuningPlan& out) {
    for (const Node& node : topology.nodes) {
        if (!node.has_cpu || !has_memory(node)) continue;
        for (const NodeTuning& table : policy.nodes) {
            const DaxDevice* device = carried(topology, node, table.kind);
            if (std::ranges::find(table.id, node.id) != table.id.end()) break;
            if (device == nullptr || !table.interleave_weight) continue;
            out.obstacles.push_back(
                fmt::format("the interleave weight of node {} is left alone ({}): memory of {} is on it, but "
                            "it has CPUs and "
                            "memory of its own; match = {{ id = [{}] }} sets it all the same",
                            node.id.value(), place_of(table), device->id.name, node.id.value()));
            break;
        }
    }
}

void plan_weights(const Topology& topology, const Policy& policy, TuningPlan& out) {
    std::vector<Tuned> tuned;
    for (const Node& node : topology.nodes) {
        const NodeTuning* table = has_memory(node) ? table_for(topology, policy, node) : nullptr;
        if (table != nullptr && table->interleave_weight) tuned.push_back({&node, table});
    }
    say_left_alone(topology, policy, out);
    if (tuned.empty()) return;
    if (!topology.features.weighted_interleave) {
        out.obstacles.push_back(
            fmt::format("interleave_weight ({}) is not set: this kernel has no weighted interleave (6.9 and "
                        "newer have it)",
                        place_of(*tuned.front().table)));
        return;
    }
    const auto is_automatic = [](const Tuned& one) { return one.table->interleave_weight == automatic; };
    for (const Tuned& one : tuned) {
        if (!is_automatic(one)) {
            out.wishes.push_back(weight_wish(one, *one.table->interleave_weight, "as the policy says"));
        }
    }
    if (std::ranges::none_of(tuned, is_automatic)) return;
    if (topology.features.weighted_interleave_auto && std::ranges::all_of(tuned, is_automatic)) {
        out.wishes.push_back(
            {.tunable = Tunable::interleave_auto,
             .node = no_node,
             .value = 1,
             .holds = topology.interleave_auto.value_or(false),
             .reason = fmt::format("as the policy says ({})", place_of(*tuned.front().table))});
        say_unknown(tuned, out);
        return;
    }
    plan_computed(topology, tuned, out);
}

// Memory goes from a tier to one with a higher number only.
void say_one_tier(const Topology& topology, TuningPlan& out) {
    std::optional<int> tier;
    for (const Node& node : topology.nodes) {
        if (!has_memory(node)) continue;
        if (!node.tier || (tier && *tier != *node.tier)) return;
        tier = node.tier;
    }
    // Memory that may come online yet may be in a tier of its own.
    const bool more_may_come = std::ranges::any_of(topology.dax_devices, [&](const DaxDevice& device) {
        const Node* node = find_node(topology, device.target_node);
        return device.mode != DaxMode::devdax && device.mode != DaxMode::famfs &&
               (node == nullptr || !has_memory(*node));
    });
    if (!tier || more_may_come) return;
    out.obstacles.push_back(fmt::format(
        "demotion is on, and nothing is ever demoted: all memory of the machine is in memory tier {}",
        *tier));
}

void plan_demotion(const Topology& topology, DemotionWish demotion, TuningPlan& out) {
    if (demotion == DemotionWish::leave) return;
    if (!topology.features.demotion) {
        out.obstacles.emplace_back("demotion is not set: this kernel cannot demote memory to a lower tier");
        return;
    }
    const bool on = demotion == DemotionWish::on;
    if (on) say_one_tier(topology, out);
    out.wishes.push_back({.tunable = Tunable::demotion,
                          .node = no_node,
                          .value = on ? 1U : 0U,
                          .holds = topology.demotion_enabled == on,
                          .reason = "as daemon.toml says"});
}

}  // namespace

std::vector<std::uint32_t> automatic_weights(const std::vector<MegabytesPerSecond>& bandwidths) {
    std::uint64_t sum = 0;
    for (const MegabytesPerSecond bandwidth : bandwidths) sum += bandwidth.value();
    std::vector<std::uint32_t> out;
    std::uint32_t divisor = 0;
    for (const MegabytesPerSecond bandwidth : bandwidths) {
        const std::uint64_t share = sum == 0 ? 0 : weightiness * bandwidth.value() / sum;
        out.push_back(static_cast<std::uint32_t>(std::max<std::uint64_t>(share, 1)));
        divisor = std::gcd(divisor, out.back());
    }
    for (std::uint32_t& weight : out) weight /= divisor;
    return out;
}

TuningPlan plan_tuning(const Topology& topology, const Policy& policy, DemotionWish demotion) {
    TuningPlan out;
    plan_weights(topology, policy, out);
    plan_demotion(topology, demotion, out);
    return out;
}

std::string describe(const TuningWish& wish) {
    switch (wish.tunable) {
        case Tunable::interleave_weight:
            return fmt::format("interleave weight of node {}", wish.node.value());
        case Tunable::interleave_auto: return "automatic interleave weights";
        case Tunable::demotion: return "demotion";
    }
    return {};
}

}  // namespace cxlmemd
