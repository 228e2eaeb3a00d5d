// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/recorded_machine.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "backends/emulator/block_list.h"
#include "backends/emulator/differences.h"
#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

bool fits(const PhysRange& range) {
    return range.size.value() != 0 && range.start.value() <= max_address &&
           range.size.value() - 1 <= max_address - range.start.value();
}

// Regions that stand above another on a card were made after it.
std::vector<Region> in_order_of_making(std::vector<Region> regions) {
    std::vector<Region> out;
    const auto waits_for = [&](const Region& region, const Region& other) {
        const auto& above = other.destroyed_first;
        return std::ranges::find(above, region.name) != above.end();
    };
    while (!regions.empty()) {
        const auto next = std::ranges::find_if(regions, [&](const Region& region) {
            return std::ranges::none_of(regions, [&](const Region& o) { return waits_for(region, o); });
        });
        // Each above the other cannot be: then any will do.
        const auto taken = next == regions.end() ? regions.begin() : next;
        out.push_back(std::move(*taken));
        regions.erase(taken);
    }
    return out;
}

void describe_cxl(const Topology& topology, MachineDescription& out) {
    std::vector<std::string> every_card;
    for (Memdev memdev : topology.memdevs) {
        memdev.generation = 0;
        every_card.push_back(memdev.name);
        out.memdevs.push_back(std::move(memdev));
    }
    for (const RootDecoder& decoder : topology.root_decoders) {
        if (!fits(decoder.window)) continue;
        out.root_decoders.push_back(decoder);
        if (decoder.memdevs == every_card) {
            out.root_decoders.back().memdevs.clear();
        } else {
            out.decoders_with_list.insert(decoder.name);
        }
    }
    for (Region& region : in_order_of_making(topology.regions)) {
        if (!fits({region.resource, region.size})) continue;  // not set up yet
        const auto decoder = std::ranges::find(out.root_decoders, region.root_decoder, &RootDecoder::name);
        if (decoder == out.root_decoders.end()) region.root_decoder.clear();
        region.generation = 0;
        region.destroyed_first.clear();
        region.members_known = true;
        out.regions.push_back(std::move(region));
    }
}

// The node of each window, where all that lies in it is on one.
void describe_decoder_nodes(const Topology& topology, MachineDescription& out) {
    std::map<std::string, std::set<NodeId>> found;
    for (const Region& region : topology.regions) {
        for (const DaxDevice* dax : dax_devices_on(topology, region))
            found[region.root_decoder].insert(dax->target_node);
    }
    for (const RootDecoder& decoder : out.root_decoders) {
        const auto nodes = found.find(decoder.name);
        if (nodes != found.end() && nodes->second.size() == 1 && nodes->second.begin()->value() >= 0)
            out.decoder_nodes[decoder.name] = *nodes->second.begin();
    }
}

Zone zone_of(const Block& block) {
    if (block.state == BlockState::offline) return Zone::none;
    return block.zone == Zone::none ? Zone::kernel : block.zone;
}

// The blocks of the device that exist. If it is bound to kmem, of a range with some of them all: kmem adds a
// range whole.
void describe_blocks(const Topology& topology, DaxDescription& dax) {
    const DaxDevice& device = dax.device;
    std::vector<BlockRun> runs;
    std::optional<NodeId> node;
    const std::uint64_t size = topology.block_size.value();
    for (const PhysRange& range : device.ranges) {
        if (size == 0) break;
        const std::uint64_t first = (range.start.value() + size - 1) / size;
        const std::uint64_t end = range.end().value() / size;
        auto it = std::ranges::lower_bound(topology.blocks, BlockIndex{first}, {}, &Block::index);
        if (it == topology.blocks.end() || it->index.value() >= end) continue;
        for (std::uint64_t i = first; i < end; ++i) {
            const bool exists = it != topology.blocks.end() && it->index.value() == i;
            if (exists || device.mode == DaxMode::system_ram)
                runs.push_back({BlockIndex{i}, 1, exists ? zone_of(*it) : Zone::none});
            if (!exists) continue;
            if (!node) node = it->node;
            ++it;
        }
    }
    const bool somewhere = node && node->value() >= 0;
    if (somewhere && *node != device.target_node) dax.blocks_node = *node;
    if (somewhere || device.mode == DaxMode::system_ram)
        dax.block_runs = somewhere ? joined(std::move(runs)) : std::vector<BlockRun>{};
}

class DaxDescriber final {
 public:
    explicit DaxDescriber(const Topology& topology) : topology_(topology) {}

    // Not if no file could: it is a difference then.
    void describe(const DaxDevice& device, MachineDescription& out) {
        if (device.ranges.empty() || !std::ranges::all_of(device.ranges, fits)) return;
        if (std::ranges::any_of(device.ranges, [&](const PhysRange& r) { return is_claimed(r); })) return;
        DaxDescription dax;
        dax.device = device;
        dax.device.id = {.name = device.id.name, .region = device.id.region, .start = {}, .serials = {}};
        dax.device.size = {};
        dax.device.resource = {};
        const auto region = std::ranges::find(out.regions, device.id.region, &Region::name);
        if (region == out.regions.end()) dax.device.id.region.clear();
        describe_blocks(topology_, dax);
        for (const PhysRange& range : device.ranges) claimed_[range.start.value()] = range.end().value();
        out.dax_devices.push_back(std::move(dax));
    }

 private:
    [[nodiscard]] bool is_claimed(const PhysRange& range) const {
        const auto next = claimed_.lower_bound(range.end().value());
        return next != claimed_.begin() && std::prev(next)->second > range.start.value();
    }

    const Topology& topology_;
    std::map<std::uint64_t, std::uint64_t> claimed_;
};

// Blocks that no dax device of the file names.
void describe_memory(const Topology& topology, MachineDescription& out) {
    const std::uint64_t size = topology.block_size.value();
    if (size == 0) return;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> described;
    for (const DaxDescription& dax : out.dax_devices) {
        for (const PhysRange& range : dax.device.ranges)
            described.emplace_back((range.start.value() + size - 1) / size, range.end().value() / size);
    }
    std::ranges::sort(described);
    const auto is_described = [&](std::uint64_t index) {
        const auto after =
            std::ranges::upper_bound(described, index, {}, &std::pair<std::uint64_t, std::uint64_t>::first);
        return after != described.begin() && std::prev(after)->second > index;
    };
    std::map<std::pair<NodeId, bool>, std::vector<BlockRun>> found;
    for (const Block& block : topology.blocks) {
        if (is_described(block.index.value()) || block.node.value() < 0) continue;
        const PhysRange place{PhysAddr{block.index.value() * size}, topology.block_size};
        const bool firmware =
            topology.firmware_ram && std::ranges::any_of(*topology.firmware_ram, [&](const PhysRange& each) {
                return overlap(each, place);
            });
        found[{block.node, firmware}].push_back({block.index, 1, zone_of(block)});
    }
    for (auto& [key, runs] : found)
        out.memory.push_back({.node = key.first, .runs = joined(std::move(runs)), .firmware = key.second});
    out.firmware_map = topology.firmware_ram.has_value() || found.empty();
}

struct BlockBytes {
    std::uint64_t kernel = 0;
    std::uint64_t movable = 0;
};

std::map<NodeId, BlockBytes> block_bytes(const MachineDescription& machine) {
    std::map<NodeId, BlockBytes> out;
    for (const DaxDescription& dax : machine.dax_devices) {
        if (!dax.block_runs) continue;
        BlockBytes& bytes = out[dax.blocks_node.value_or(dax.device.target_node)];
        for (const BlockRun& run : *dax.block_runs) {
            const std::uint64_t size = run.count * machine.block_size.value();
            if (run.zone == Zone::kernel) bytes.kernel += size;
            if (run.zone == Zone::movable) bytes.movable += size;
        }
    }
    for (const LooseMemory& memory : machine.memory) {
        for (const BlockRun& run : memory.runs) {
            const std::uint64_t size = run.count * machine.block_size.value();
            if (run.zone == Zone::kernel) out[memory.node].kernel += size;
            if (run.zone == Zone::movable) out[memory.node].movable += size;
        }
    }
    return out;
}

NodeDescription& node_in(MachineDescription& machine, NodeId id) {
    const auto it = std::ranges::lower_bound(machine.nodes, id, {}, &NodeDescription::id);
    if (it != machine.nodes.end() && it->id == id) return *it;
    NodeDescription node;
    node.id = id;
    return *machine.nodes.insert(it, node);
}

// Nodes with CPUs or memory that is not of a dax device.
void describe_own_memory(const Topology& topology, MachineDescription& out) {
    std::map<NodeId, BlockBytes> of_dax = block_bytes(out);
    for (const Node& node : topology.nodes) {
        const BlockBytes& dax = of_dax[node.id];
        const auto without = [](Bytes all, std::uint64_t part) { return all - std::min(all, Bytes{part}); };
        NodeDescription own;
        own.id = node.id;
        own.has_cpu = node.has_cpu;
        own.kernel_bytes = without(node.bytes_kernel, dax.kernel);
        own.movable_bytes = without(node.bytes_movable, dax.movable);
        if (!own.has_cpu && own.kernel_bytes.value() == 0 && own.movable_bytes.value() == 0) continue;
        own.access = node.access;
        out.nodes.push_back(own);
    }
}

// How much of the nodes' memory is in use, so that the machine has what the kernel said left; `seen` is the
// machine with nothing in use. The kernel tells the sum alone, so each node has a share by its size.
void describe_used(std::optional<Bytes> available, const Topology& seen, MachineDescription& out) {
    // What the firmware gave of each node, cards' memory included.
    std::map<NodeId, std::uint64_t> sizes;
    for (const LooseMemory& loose : out.memory) {
        for (const BlockRun& run : loose.runs) {
            if (loose.firmware && run.zone == Zone::kernel)
                sizes[loose.node] += run.count * out.block_size.value();
        }
    }
    for (const auto& [node, bytes] : sizes) static_cast<void>(node_in(out, node));
    std::uint64_t memory = 0;
    for (NodeDescription& node : out.nodes) {
        sizes[node.id] += node.kernel_bytes.value();
        memory += sizes[node.id];
        if (!available) node.used_bytes = Bytes{sizes[node.id]};
    }
    if (!available || memory == 0) return;
    const std::uint64_t step = used_step.value();
    const std::uint64_t most = seen.kernel_available.value_or(Bytes{}).value();
    const std::uint64_t used = most - std::min(most, available->value());
    std::uint64_t steps = (used + step - 1) / step;
    if (steps * step >= most && used < most) --steps;  // some is left, however little
    std::uint64_t left = steps * step;
    for (NodeDescription& node : out.nodes) {
        const std::uint64_t size = sizes[node.id];
        const std::uint64_t share = steps * (size / step) / std::max<std::uint64_t>(memory / step, 1) * step;
        node.used_bytes = Bytes{std::min({size, share, left})};
        left -= node.used_bytes.value();
    }
    for (NodeDescription& node : out.nodes) {
        const std::uint64_t more = std::min(left, sizes[node.id] - node.used_bytes.value());
        node.used_bytes += Bytes{more};
        left -= more;
    }
}

// What the machine does not come to by itself: nodes that are there without memory, and coordinates that are
// shown before the first block is online, or not shown after it.
void amend_access(const Topology& topology, const Topology& seen, MachineDescription& out) {
    for (const Region& region : topology.regions) {
        const Region* shown = find_region(seen, region.name);
        if (shown != nullptr && shown->access != region.access) out.access_shown.insert(region.name);
    }
    for (const Node& node : topology.nodes) {
        const Node* shown = find_node(seen, node.id);
        if (shown != nullptr && shown->access == node.access) continue;
        NodeDescription& described = node_in(out, node.id);
        described.present = shown == nullptr;
        described.access = node.access;
        const bool has_memory = (node.bytes_kernel + node.bytes_movable).value() != 0;
        described.access_shown = !described.present && (!has_memory || node.access == AccessCoordinates{});
    }
}

// Where the kernel came to another tier or weight than the machine does. False: nowhere.
bool amend_tiers_and_weights(const Topology& topology, const Topology& seen, MachineDescription& out) {
    bool amended = false;
    for (const Node& node : topology.nodes) {
        const Node* shown = find_node(seen, node.id);
        if (shown == nullptr) continue;
        const bool other_tier = shown->tier && shown->tier != node.tier;
        const bool other_weight = shown->interleave_weight != node.interleave_weight;
        if (other_tier) node_in(out, node.id).tier = node.tier.value_or(-1);
        if (other_weight) node_in(out, node.id).interleave_weight = node.interleave_weight.value_or(0);
        amended = amended || other_tier || other_weight;
    }
    return amended;
}

// What a scan of the machine shows. With 131,072 blocks that takes a few hundredths of a second.
Topology scan(const MachineDescription& machine) {
    return Machine{machine, {}}.topology();
}

}  // namespace

RecordedMachine recorded_machine(const Topology& topology) {
    RecordedMachine out;
    MachineDescription& machine = out.description;
    machine.block_size = topology.block_size;
    machine.auto_online = topology.auto_online;
    machine.features = topology.features;
    machine.interleave_auto = topology.interleave_auto.value_or(true);
    machine.demotion_enabled = topology.demotion_enabled.value_or(false);
    machine.competitors = topology.competitors;
    machine.host = topology.host;
    describe_cxl(topology, machine);
    describe_decoder_nodes(topology, machine);
    DaxDescriber dax{topology};
    for (const DaxDevice& device : topology.dax_devices) dax.describe(device, machine);
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        const bool is_known =
            std::ranges::find(machine.memdevs, decoder.memdev, &Memdev::name) != machine.memdevs.end();
        if (decoder.region.empty() && is_known) machine.endpoint_decoders.push_back(decoder);
    }
    describe_memory(topology, machine);
    describe_own_memory(topology, machine);
    Topology seen = scan(machine);
    describe_used(topology.kernel_available, seen, machine);
    amend_access(topology, seen, machine);
    seen = scan(machine);
    if (amend_tiers_and_weights(topology, seen, machine)) seen = scan(machine);
    out.differences = differences(topology, seen);
    return out;
}

}  // namespace cxlmemd::emulator
