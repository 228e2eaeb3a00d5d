// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/tiers.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

bool has_memory(const Node& node) {
    return node.bytes_kernel.value() + node.bytes_movable.value() != 0;
}

// Whether a node of hotplugged memory is down to its last block, or a block is on its way.
bool might_lose_its_memory(const Topology& topology, const Node& node) {
    if (node.has_cpu || !has_memory(node)) return false;
    std::size_t online = 0;
    bool hotplugged = false;
    for (const DaxDevice& device : topology.dax_devices) hotplugged |= device.target_node == node.id;
    for (const Block& block : topology.blocks) {
        if (block.node != node.id) continue;
        if (block.state == BlockState::going_offline) return true;
        if (block.state == BlockState::online) ++online;
    }
    return hotplugged && online < 2;
}

}  // namespace

void Tiers::fill(Topology& topology) {
    for (const Node& node : topology.nodes) {
        if (!has_memory(node)) known_.erase(node.id);
    }
    const bool missing = std::ranges::any_of(
        topology.nodes, [&](const Node& node) { return has_memory(node) && !known_.contains(node.id); });
    const bool dangerous = std::ranges::any_of(
        topology.nodes, [&](const Node& node) { return might_lose_its_memory(topology, node); });
    if (missing && !dangerous) read();
    for (Node& node : topology.nodes) {
        if (const auto tier = known_.find(node.id); tier != known_.end() && has_memory(node)) {
            node.tier = tier->second;
        }
    }
}

void Tiers::read() {
    const std::string folder = paths_.sys + "/devices/virtual/memory_tiering";
    known_.clear();
    for (const std::string& name : sysfs::names_in(folder)) {
        const auto tier = sysfs::number_after(name, "memory_tier");
        std::string list = folder;
        list.append("/").append(name).append("/nodelist");
        const auto nodes = tier ? sysfs::read(list) : std::string{};
        if (!tier || !nodes || *tier > std::numeric_limits<int>::max()) continue;
        for (const int node : sysfs::to_list(*nodes)) known_[NodeId{node}] = static_cast<int>(*tier);
    }
}

}  // namespace cxlmemd
