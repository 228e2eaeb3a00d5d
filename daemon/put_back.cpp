// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/put_back.h"

#include <algorithm>
#include <utility>

#include "policy/block_order.h"
#include "policy/state_plan.h"

namespace cxlmemd {

namespace {

struct Differences {
    std::optional<DaxMode> driver;  // that it had
    // Sorted.
    std::vector<BlockIndex> to_offline;
    std::vector<BlockIndex> to_kernel;
    std::vector<BlockIndex> to_movable;
    // It was unplugged: the zone in which it is plugged again, and its blocks. Those that were not there are
    // put right afterwards, one by one.
    Zone to_plug = Zone::none;
    std::vector<BlockIndex> to_plug_blocks;
};

// The zone that most of the blocks were in; none if they were offline.
Zone zone_before(const JobUndo& undo, const std::vector<BlockIndex>& blocks) {
    std::size_t movable = 0;
    std::size_t kernel = 0;
    for (const BlockIndex index : blocks) {
        const auto known = undo.blocks.find(index);
        if (known == undo.blocks.end() || known->second == Zone::none) continue;
        ++(known->second == Zone::movable ? movable : kernel);
    }
    if (movable + kernel == 0) return Zone::none;
    return movable >= kernel ? Zone::movable : Zone::kernel;
}

Differences differences(const DaxDevice& device, const JobUndo& undo, const Topology& topology) {
    Differences out;
    const auto left = std::ranges::find(undo.drivers, device.id, [](const auto& e) { return e.first; });
    const bool touched = left != undo.drivers.end();
    if (touched && left->second != device.mode) out.driver = left->second;
    const bool leaves = out.driver && device.mode == DaxMode::system_ram;
    // Somebody else unbound it, or it is not bound yet: no blocks to put back now.
    if (device.mode != DaxMode::system_ram) return out;
    if (is_unplugged(topology, device) && !leaves) {
        out.to_plug_blocks = whole_blocks(device, topology.block_size);
        out.to_plug = zone_before(undo, out.to_plug_blocks);
    }
    for (const Block& now : present_blocks(topology, device)) {
        const auto known = undo.blocks.find(now.index);
        // To leave kmem all of its blocks were offline: what the kernel onlines at the bind was not.
        if (known == undo.blocks.end() && !touched) continue;
        const Zone before = leaves || known == undo.blocks.end() ? Zone::none : known->second;
        if (now.state == BlockState::online && now.zone != before) out.to_offline.push_back(now.index);
        if (now.state != BlockState::offline || before == Zone::none) continue;
        (before == Zone::movable ? out.to_movable : out.to_kernel).push_back(now.index);
    }
    return out;
}

Step step_of(StepKind kind, DaxMode mode, Zone zone, std::vector<BlockIndex> blocks) {
    return {.kind = kind, .mode = mode, .zone = zone, .blocks = std::move(blocks)};
}

std::optional<Step> next_of(const Differences& left, const Topology& topology) {
    const auto ram = DaxMode::system_ram;
    if (!left.to_offline.empty())
        return step_of(StepKind::offline, ram, Zone::none, offline_order(topology, left.to_offline));
    if (left.driver) return step_of(StepKind::set_mode, *left.driver, Zone::none, {});
    if (left.to_plug != Zone::none) {
        Step plug = step_of(StepKind::online, ram, left.to_plug, left.to_plug_blocks);
        plug.by_state = true;
        return plug;
    }
    if (!left.to_kernel.empty())
        return step_of(StepKind::online, ram, Zone::kernel, online_order(left.to_kernel));
    if (!left.to_movable.empty())
        return step_of(StepKind::online, ram, Zone::movable, online_order(left.to_movable));
    return std::nullopt;
}

}  // namespace

std::optional<DeviceStep> put_back_step(const JobTarget& target, const JobUndo& undo,
                                        const JobFailures* failures, const Topology& topology) {
    std::vector<const DaxDevice*> devices = devices_of(topology, target);
    std::ranges::reverse(devices);  // the last one that was touched first
    for (const DaxDevice* device : devices) {
        Differences left = differences(*device, undo, topology);
        if (failures != nullptr) {
            const auto given_up = [&](BlockIndex block) { return failures->given_up.contains(block); };
            const bool stuck = std::ranges::any_of(left.to_offline, given_up);
            if (std::ranges::any_of(left.to_plug_blocks, given_up)) left.to_plug = Zone::none;
            for (auto* blocks : {&left.to_offline, &left.to_kernel, &left.to_movable})
                std::erase_if(*blocks, given_up);
            // Never away from kmem with a block that stays online (R11).
            if (stuck || failures->drivers_given_up.contains(device->id.name)) left.driver.reset();
        }
        if (auto step = next_of(left, topology)) return DeviceStep{device->id, std::move(*step)};
    }
    return std::nullopt;
}

std::string not_put_back(const JobTarget& target, const JobUndo& undo, const Topology& topology) {
    std::string out;
    const auto add = [&](const std::string& words) { out += (out.empty() ? "" : ", ") + words; };
    for (const DaxDevice* device : devices_of(topology, target)) {
        const Differences left = differences(*device, undo, topology);
        if (left.driver) add(device->id.name + " is in mode " + std::string{to_string(device->mode)});
        if (left.to_plug != Zone::none) add(device->id.name + " is unplugged");
        std::vector<BlockIndex> blocks = left.to_offline;
        for (const auto* more : {&left.to_kernel, &left.to_movable})
            blocks.insert(blocks.end(), more->begin(), more->end());
        std::ranges::sort(blocks);
        for (const BlockIndex block : blocks) {
            const Block* now = find_block(topology, block);
            const std::string where = now->state != BlockState::online ? "is offline"
                                      : now->zone == Zone::movable     ? "is online in ZONE_MOVABLE"
                                                                       : "is online in a kernel zone";
            add("memory block " + std::to_string(block.value()) + " " + where);
        }
    }
    return out;
}

}  // namespace cxlmemd
