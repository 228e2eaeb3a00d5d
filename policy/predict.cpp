// SPDX-License-Identifier: LGPL-2.1-or-later
// predict(): the topology that a plan leads to, if every step succeeds.

#include <algorithm>
#include <utility>

#include "policy/block_change.h"
#include "policy/decide.h"

namespace cxlmemd {

namespace {

Zone zone_after_bind(AutoOnline value) {
    switch (value) {
        case AutoOnline::offline: return Zone::none;
        case AutoOnline::online:  // with the kernel's default online_policy, contig-zones
        case AutoOnline::online_kernel: return Zone::kernel;
        case AutoOnline::online_movable: return Zone::movable;
    }
    return Zone::none;
}

std::vector<Block> blocks_after_bind(const Topology& topology, const DaxDevice& device) {
    const Zone zone = zone_after_bind(topology.auto_online);
    std::vector<Block> out;
    for (const BlockIndex index : whole_blocks(device, topology.block_size)) {
        out.push_back({.index = index,
                       .state = zone == Zone::none ? BlockState::offline : BlockState::online,
                       .zone = zone,
                       .node = device.target_node});
    }
    return out;
}

void set_driver(const Topology& topology, DaxDevice& device, DaxMode mode) {
    device.mode = mode;
    device.hotplug_state.reset();
    if (mode == DaxMode::system_ram && topology.features.dax_state)
        device.hotplug_state = hotplug_state_from(to_string(topology.auto_online));
}

// A write to daxX.Y/state: all blocks go, or all come, online in one zone.
Topology after_state(const Topology& topology, const DaxDevice& device, const Step& step) {
    const bool online = step.kind == StepKind::online;
    std::vector<Block> blocks;
    if (online) {
        for (const BlockIndex index : whole_blocks(device, topology.block_size))
            blocks.push_back(
                {.index = index, .state = BlockState::online, .zone = step.zone, .node = device.target_node});
    }
    Topology out = with_blocks(topology, whole_blocks(device, topology.block_size), blocks);
    const auto it = std::ranges::find(out.dax_devices, device.id, &DaxDevice::id);
    if (it == out.dax_devices.end()) return out;
    it->hotplug_state = !online                      ? HotplugState::unplugged
                        : step.zone == Zone::movable ? HotplugState::online_movable
                                                     : HotplugState::online_kernel;
    return out;
}

// What the bind or unbind of kmem does to the memory blocks.
Topology after_set_mode(const Topology& topology, const DaxDevice& device, DaxMode mode) {
    std::vector<Block> blocks;
    if (mode == DaxMode::system_ram) blocks = blocks_after_bind(topology, device);
    Topology out = with_blocks(topology, whole_blocks(device, topology.block_size), blocks);
    const auto it = std::ranges::find(out.dax_devices, device.id, &DaxDevice::id);
    if (it != out.dax_devices.end()) set_driver(out, *it, mode);
    return out;
}

Topology after_block_step(const Topology& topology, const Step& step) {
    const bool online = step.kind == StepKind::online;
    std::vector<Block> blocks;
    blocks.reserve(step.blocks.size());
    for (const BlockIndex index : step.blocks) {
        const Block* there = find_block(topology, index);
        if (there == nullptr) continue;
        Block block = *there;
        block.state = online ? BlockState::online : BlockState::offline;
        block.zone = online ? step.zone : Zone::none;
        blocks.push_back(block);
    }
    return with_blocks(topology, step.blocks, blocks);
}

}  // namespace

Topology bound_alone(const Topology& topology, const DaxDevice& device) {
    Topology out;
    out.block_size = topology.block_size;
    out.auto_online = topology.auto_online;
    out.features = topology.features;
    out.dax_devices = {device};
    set_driver(out, out.dax_devices.front(), DaxMode::system_ram);
    out.blocks = blocks_after_bind(topology, device);
    return out;
}

Topology predict(const Topology& topology, const DaxDevice& device, const DevicePlan& plan) {
    Topology out = topology;
    for (const Step& step : plan.steps) {
        if (step.kind == StepKind::set_mode) {
            out = after_set_mode(out, device, step.mode);
        } else if (step.kind == StepKind::unplug || step.by_state) {
            out = after_state(out, device, step);
        } else {
            out = after_block_step(out, step);
        }
    }
    return out;
}

}  // namespace cxlmemd
