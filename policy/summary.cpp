// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/hardware_words.h"

namespace cxlmemd {

namespace {

DaxState state_of(std::uint32_t online, std::uint32_t total) {
    if (online == 0) return DaxState::offline;
    return online < total ? DaxState::partial : DaxState::online;
}

DaxZone zone_of(std::uint32_t movable, std::uint32_t online) {
    if (online == 0) return DaxZone::none;
    if (movable == online) return DaxZone::movable;
    return movable == 0 ? DaxZone::kernel : DaxZone::mixed;
}

double movable_ratio(const Topology& topology) {
    Bytes kernel;
    Bytes movable;
    for (const Node& node : topology.nodes) {
        kernel += node.bytes_kernel;
        movable += node.bytes_movable;
    }
    if (kernel.value() == 0) return 0;
    return static_cast<double>(movable.value()) / static_cast<double>(kernel.value());
}

// Conflicts that say the same of another block.
constexpr std::size_t most_unreadable = 8;

std::string leak_words(const Occupant& leaked) {
    return fmt::format(
        "{} {} leaked: {}; the kernel goes on using the memory, and nobody can take it offline or give it "
        "back "
        "before a reboot",
        describe(leaked), leaked.blocks == 1 ? "is" : "are",
        leaked.name.empty() ? "no dax device has this memory any more"
                            : leaked.name + " was unbound or taken away while memory of it was online");
}

std::uint64_t blocks_of_devices(const Topology& topology) {
    std::uint64_t out = 0;
    for (const DaxDevice& device : topology.dax_devices)
        out += whole_block_count(device, topology.block_size);
    return out;
}

Conflict competitor_conflict(const Topology& topology, const Competitor& competitor) {
    switch (competitor.kind) {
        case CompetitorKind::onlines:
            return {"competitor", fmt::format("{} brings new memory online by itself, before a rule "
                                              "can choose zone and amount: {}",
                                              competitor.what, competitor.where)};
        case CompetitorKind::may_online:
            return {"competitor", fmt::format("{} may bring new memory online by itself, before a rule "
                                              "can choose zone and amount: {}",
                                              competitor.what, competitor.where)};
        case CompetitorKind::crash_dump:
            return {
                "work-per-block",
                fmt::format("{} for each memory block that goes online or offline (the dax devices here have "
                            "{}): {}; kernels from 6.6 on tell the crash kernel of memory themselves: mask "
                            "the rule with an empty file of its name in /etc/udev/rules.d, unless the kernel "
                            "is older",
                            competitor.what, blocks_of_devices(topology), competitor.where)};
        case CompetitorKind::block_by_block:
            return {
                "work-per-block",
                fmt::format("{} for each memory block that goes online or offline (the dax devices here have "
                            "{}): {}",
                            competitor.what, blocks_of_devices(topology), competitor.where)};
    }
    return {};
}

bool manages_memory(const Policy& policy) {
    return std::ranges::any_of(policy.rules,
                               [](const Rule& rule) { return rule.goal.mode == ModeWish::system_ram; });
}

// Never to set what is set.
std::string_view auto_online_advice(AutoOnlineCare care) {
    switch (care) {
        case AutoOnlineCare::nobody:
            return "set auto_online = \"manage\" in daemon.toml, or write 'offline' to auto_online_blocks";
        case AutoOnlineCare::daemon:
            return "auto_online = \"manage\" is set: another process writes auto_online_blocks, or the "
                   "kernel "
                   "refuses 'offline' (the log says which); find that process, then reload";
        case AutoOnlineCare::watched:
            return "auto_online = \"manage\" is set, but the daemon only watches; write 'offline' to "
                   "auto_online_blocks, or let it act";
    }
    return {};
}

// Movable to kernel memory: FACTS of many machines, and Documentation/admin-guide/mm/memory-hotplug.rst,
// "Zone Imbalances".
constexpr double safe_movable_ratio = 3;

// Devices of kmem whose memory comes to a node that has memory of its own.
void add_dram_nodes(const Topology& topology, MachineSummary& out) {
    for (const Node& node : topology.nodes) {
        if (!node.has_cpu) continue;
        std::string devices;
        for (const DaxDevice& device : topology.dax_devices) {
            if (device.target_node != node.id || device.mode != DaxMode::system_ram) continue;
            devices += (devices.empty() ? "" : ", ") + device.id.name;
        }
        if (devices.empty()) continue;
        out.conflicts.push_back(
            {"dram-node",
             fmt::format("memory of {} is on node {}, which has CPUs and DRAM: neither weights, tiers nor "
                         "the binding of programs tell the two apart; the firmware gives the window no "
                         "node of its own (SRAT)",
                         devices, node.id.value())});
    }
}

struct Distance {
    std::uint64_t latency = 0;    // read and write
    std::uint64_t bandwidth = 0;  // read and write
};

// nullopt: not all is known.
std::optional<Distance> distance_of(const AccessCoordinates& access) {
    if (!access.read_latency || !access.write_latency || !access.read_bandwidth || !access.write_bandwidth)
        return std::nullopt;
    const Distance out{access.read_latency->value() + access.write_latency->value(),
                       access.read_bandwidth->value() + access.write_bandwidth->value()};
    return out.latency == 0 || out.bandwidth == 0 ? std::nullopt : std::optional{out};
}

// mm/memory-tiers.c, mt_perf_to_adistance(): against the first node of DRAM. nullopt: not all is known.
std::optional<int> tier_by_coordinates(const Topology& topology, const Node& node) {
    constexpr std::uint64_t dram_distance = 576;
    constexpr unsigned chunk_bits = 7;
    constexpr std::uint64_t most = 1U << 20U;
    const auto dram = std::ranges::find_if(
        topology.nodes, [](const Node& each) { return each.has_cpu && each.access != AccessCoordinates{}; });
    if (dram == topology.nodes.end()) return std::nullopt;
    const auto reference = distance_of(dram->access);
    const auto own = distance_of(node.access);
    if (!reference || !own) return std::nullopt;
    const std::uint64_t by_latency =
        dram_distance * std::min(own->latency, most) / std::min(reference->latency, most);
    return static_cast<int>((by_latency * reference->bandwidth / own->bandwidth) >> chunk_bits);
}

std::string tier_effect(const Topology& topology, const Node& node) {
    for (const Node& dram : topology.nodes) {
        if (dram.has_cpu && dram.tier && *node.tier <= *dram.tier) return "nothing is demoted to it";
    }
    return "demotion takes it for slower or faster than it is";
}

void add_tiers(const Topology& topology, MachineSummary& out) {
    for (const Node& node : topology.nodes) {
        if (node.has_cpu || !node.tier || node.access == AccessCoordinates{}) continue;
        if (!distance_of(node.access)) {
            out.conflicts.push_back(
                {"tier", fmt::format("node {} is in tier {}, which cannot be compared: the kernel "
                                     "gives its coordinates in part only",
                                     node.id.value(), *node.tier)});
            continue;
        }
        const auto expected = tier_by_coordinates(topology, node);
        if (!expected || *expected == *node.tier) continue;
        out.conflicts.push_back(
            {"tier", fmt::format("node {} is in tier {}, its coordinates give {}: {}", node.id.value(),
                                 *node.tier, *expected, tier_effect(topology, node))});
    }
}

}  // namespace

DaxSummary summarize(const Topology& topology, const DaxDevice& device) {
    DaxSummary out;
    out.blocks_total = static_cast<std::uint32_t>(whole_block_count(device, topology.block_size));
    for (const PhysRange& range : device.ranges) {
        for (const Block& block : present_blocks(topology, range)) {
            if (block.state != BlockState::online) continue;  // one that is going offline has no zone
            ++out.blocks_online;
            if (block.zone == Zone::movable) ++out.blocks_movable;
        }
    }
    out.state = state_of(out.blocks_online, out.blocks_total);
    out.zone = zone_of(out.blocks_movable, out.blocks_online);
    out.bytes_online = Bytes{out.blocks_online * topology.block_size.value()};
    out.bytes_stranded = stranded_bytes(device, topology.block_size);
    out.reboot_required = reboot_required(topology, device);
    return out;
}

DeviceTotals totals_of(const Topology& topology) {
    DeviceTotals out;
    for (const DaxDevice& device : topology.dax_devices) {
        const DaxSummary summary = summarize(topology, device);
        out.bytes_total += device.size;
        out.bytes_online += summary.bytes_online;
    }
    out.leaked = leaked_memory(topology);
    return out;
}

MachineSummary summarize(const Topology& topology, const Policy& policy) {
    return summarize(topology, policy, totals_of(topology), AutoOnlineCare::nobody);
}

MachineSummary summarize(const Topology& topology, const Policy& policy, const DeviceTotals& totals,
                         AutoOnlineCare care) {
    MachineSummary out;
    out.bytes_total = totals.bytes_total;
    out.bytes_online = totals.bytes_online;
    out.movable_ratio = movable_ratio(topology);
    if (topology.auto_online != AutoOnline::offline && manages_memory(policy)) {
        out.conflicts.push_back(
            {"auto-online",
             fmt::format("the kernel brings new memory online itself (auto_online_blocks is '{}') before a "
                         "rule can choose zone and amount; {}",
                         to_string(topology.auto_online), auto_online_advice(care))});
    }
    if (manages_memory(policy)) {
        for (const Competitor& competitor : topology.competitors)
            out.conflicts.push_back(competitor_conflict(topology, competitor));
    }
    if (policy.max_movable_ratio && out.movable_ratio > *policy.max_movable_ratio) {
        out.conflicts.push_back(
            {"movable-ratio",
             fmt::format("movable : kernel memory of the machine is {:.2f}, above max_movable_ratio "
                         "{}; only devices under zone = \"auto\" keep to it",
                         out.movable_ratio, *policy.max_movable_ratio)});
    }
    if (!policy.max_movable_ratio && out.movable_ratio > safe_movable_ratio) {
        out.conflicts.push_back(
            {"movable-ratio",
             fmt::format(
                 "movable : kernel memory of the machine is {:.2f}, where up to about {} is safe: the kernel "
                 "can run out of memory for itself with much of the movable free; set "
                 "max_movable_ratio = 3 in daemon.toml and zone = \"auto\" in the rules",
                 out.movable_ratio, safe_movable_ratio)});
    }
    add_tiers(topology, out);
    for (const Region& region : topology.regions) {
        if (region.disabled) out.conflicts.push_back({"region", region.name + ": " + disabled_words(region)});
    }
    if (manages_memory(policy)) add_dram_nodes(topology, out);
    for (const Occupant& leaked : totals.leaked) out.conflicts.push_back({"leaked", leak_words(leaked)});
    std::size_t unread = 0;
    for (const Unreadable& unknown : topology.unreadable) {
        if (++unread > most_unreadable) break;
        out.conflicts.push_back({"unreadable", describe(unknown) + ": what it concerns is left as it is"});
    }
    if (topology.unreadable.size() > most_unreadable) {
        out.conflicts.push_back(
            {"unreadable", fmt::format("and {} more", topology.unreadable.size() - most_unreadable)});
    }
    return out;
}

std::string_view to_string(DaxState state) {
    switch (state) {
        case DaxState::offline: return "offline";
        case DaxState::partial: return "partial";
        case DaxState::online: return "online";
    }
    return "offline";
}

std::string_view to_string(DaxZone zone) {
    switch (zone) {
        case DaxZone::none: return "none";
        case DaxZone::kernel: return "kernel";
        case DaxZone::movable: return "movable";
        case DaxZone::mixed: return "mixed";
    }
    return "none";
}

}  // namespace cxlmemd
