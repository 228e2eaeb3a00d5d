// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/state_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace cxlmemd {

namespace {

std::vector<BlockIndex> indices_of(const std::vector<Block>& blocks) {
    std::vector<BlockIndex> out;
    out.reserve(blocks.size());
    for (const Block& block : blocks) out.push_back(block.index);
    return out;
}

bool any_online(const std::vector<Block>& blocks) {
    return std::ranges::any_of(blocks, [](const Block& each) { return each.state == BlockState::online; });
}

// A part of it would have to come or go by itself, or has to stay as it is.
bool takes_parts(const BlockChoice& choice) {
    if (choice.parts.size() != 1 || !choice.poisoned.empty() || !choice.leaving.empty() ||
        !choice.stuck_excess.empty())
        return true;
    const ZonePart& part = choice.parts.front();
    return !part.right.empty() || !part.kept.empty() || !part.stuck_zone.empty() || !part.barred.empty();
}

// max_movable_ratio is kept block by block while the work is under way.
bool may_be_split(const Goal& goal) {
    return goal.zone == ZoneWish::automatic && goal.split;
}

Step offline_by_state(std::vector<BlockIndex> blocks) {
    return {.kind = StepKind::offline,
            .mode = DaxMode::system_ram,
            .zone = Zone::none,
            .blocks = std::move(blocks),
            .by_state = true};
}

}  // namespace

bool is_unplugged(const Topology& topology, const DaxDevice& device) {
    return device.mode == DaxMode::system_ram && device.hotplug_state == HotplugState::unplugged &&
           present_block_count(topology, device) == 0;
}

std::vector<Step> steps_by_state(const Topology& topology, const DaxDevice& device, const Goal& goal,
                                 const BlockChoice& choice) {
    std::vector<Step> out;
    if (goal.online_by != OnlineBy::state || !device.hotplug_state || may_be_split(goal) ||
        !topology.features.memory_hotremove || takes_parts(choice))
        return out;
    const std::vector<Block> present = present_blocks(topology, device);
    const bool online = any_online(present);
    const ZonePart& part = choice.parts.front();
    if (choice.wanted == 0) {
        if (online) out.push_back(offline_by_state(indices_of(present)));
        return out;
    }
    const std::size_t changes = part.rezoned.size() + part.brought.size();
    if (changes != choice.total) return out;
    if (online) {
        out.push_back(offline_by_state(indices_of(present)));
    } else if (!is_unplugged(topology, device)) {
        out.push_back(
            {.kind = StepKind::unplug, .mode = DaxMode::system_ram, .zone = Zone::none, .blocks = {}});
    }
    out.push_back({.kind = StepKind::online,
                   .mode = DaxMode::system_ram,
                   .zone = part.zone,
                   .blocks = whole_blocks(device, topology.block_size),
                   .by_state = true});
    return out;
}

std::string state_words(const Topology& topology, const DaxDevice& device, const Goal& goal,
                        const std::vector<Step>& steps) {
    if (goal.online_by != OnlineBy::state || device.mode != DaxMode::system_ram) return {};
    if (std::ranges::any_of(steps, &Step::by_state)) return "; by one write to its state";
    if (!device.hotplug_state) {
        return topology.features.dax_state
                   ? "; block by block, as its daxX.Y/state cannot be read"
                   : "; block by block, as this kernel has no daxX.Y/state (7.3 and newer have it)";
    }
    const bool by_blocks = std::ranges::any_of(steps, [](const Step& step) { return !step.blocks.empty(); });
    if (!by_blocks) return {};
    if (may_be_split(goal)) return "; block by block, as max_movable_ratio may leave room for a part only";
    if (!topology.features.memory_hotremove)
        return "; block by block, as this kernel cannot hot-remove memory";
    return "; block by block, as its state takes the whole device only, and a part of it stays as it is";
}

std::string hotplug_note(const Topology& topology, const DaxDevice& device) {
    if (!device.hotplug_state || topology.block_size.value() == 0) return {};
    if (find_unreadable(topology, device) != nullptr) return {};  // whether it disagrees is not known
    const std::vector<Block> present = present_blocks(topology, device);
    std::size_t in_kernel = 0;
    std::size_t in_movable = 0;
    for (const Block& block : present) {
        if (block.state == BlockState::going_offline) return {};  // at this moment
        if (block.state != BlockState::online) continue;
        ++(block.zone == Zone::movable ? in_movable : in_kernel);
    }
    const std::size_t online = in_kernel + in_movable;
    const bool all = online == present.size() && online != 0;
    bool agrees = false;
    switch (*device.hotplug_state) {
        case HotplugState::unplugged: agrees = present.empty(); break;
        case HotplugState::offline: agrees = online == 0; break;
        case HotplugState::online: agrees = all; break;
        case HotplugState::online_kernel: agrees = all && in_movable == 0; break;
        case HotplugState::online_movable: agrees = all && in_kernel == 0; break;
    }
    if (agrees) return {};
    return fmt::format(
        "its state reads '{}', and {} of its {} memory blocks are online ({} of them movable): the kernel's "
        "state does not follow single blocks, and takes nothing but 'unplugged' until the whole device has "
        "been unplugged",
        to_string(*device.hotplug_state), online, present.size(), in_movable);
}

}  // namespace cxlmemd
