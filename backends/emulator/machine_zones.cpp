// SPDX-License-Identifier: LGPL-2.1-or-later
// Which zone a block goes to if nobody says, and what that costs: mm/memory_hotplug.c, mm/mm_init.c.
#include <algorithm>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

// default_zone_for_pfn(): inside one zone of its node and outside the other, it goes there; else to the
// kernel zone. The node's own memory lies below all that is hot-added, and makes neither zone longer here.
Zone Machine::default_zone(BlockIndex block, NodeId node) const {
    if (blocks_.on_node(node).movable == 0) return Zone::kernel;
    const auto inside = [&](Zone zone) {
        const auto extent = blocks_.extent(node, zone);
        return extent && extent->first <= block && block.value() < extent->end();
    };
    return inside(Zone::movable) && !inside(Zone::kernel) ? Zone::movable : Zone::kernel;
}

Zone Machine::zone_for(BlockWrite value, BlockIndex block, NodeId node) const {
    switch (value) {
        case BlockWrite::offline: return Zone::none;
        case BlockWrite::online: return default_zone(block, node);
        case BlockWrite::online_kernel: return Zone::kernel;
        case BlockWrite::online_movable: return Zone::movable;
    }
    return Zone::none;
}

std::string Machine::valid_zones(BlockIndex block) const {
    const std::optional<Block> now = blocks_.look(block);
    if (!now) return {};
    const Zone zone = blocks_.zone(block);
    if (zone != Zone::none) return zone == Zone::movable ? "Movable" : "Normal";
    return default_zone(block, now->node) == Zone::movable ? "Movable Normal" : "Normal Movable";
}

std::uint64_t Machine::time_of_write(BlockIndex block, BlockWrite value) const {
    const std::optional<Block> now = blocks_.look(block);
    if (time_model_.is_off() || !now) return 0;
    const Zone before = blocks_.zone(block);
    const bool goes_online = value != BlockWrite::offline;
    if (goes_online == (before != Zone::none)) return 0;  // refused at once
    const Zone zone = goes_online ? zone_for(value, block, now->node) : before;
    // The kernel looks before a block counts as online, and after it counts as offline: it is a hole either
    // way, and one at the zone's new beginning if it lies below all others.
    const auto extent = blocks_.extent(now->node, zone);
    const bool below = goes_online && (!extent || block < extent->first);
    const std::uint64_t scanned = below ? 0 : blocks_.run_without(now->node, zone, block);
    return (goes_online ? time_model_.online_usec : time_model_.offline_usec) +
           scanned * time_model_.scan_usec;
}

// With auto_online_blocks, kmem's blocks come online upwards, one by one.
std::uint64_t Machine::time_of_bind(std::string_view name, DaxMode mode) const {
    const DaxDevice* device = dax(name);
    if (time_model_.is_off() || device == nullptr || mode != DaxMode::system_ram) return 0;
    std::uint64_t usec = 0;
    for (const MemoryBlocks::Span span : whole_spans(*device)) {
        usec += span.count * time_model_.add_usec;
        if (auto_online_ == AutoOnline::offline) continue;
        usec += span.count * time_model_.online_usec +
                time_model_.scan_usec * (span.count * (span.count - 1) / 2);
    }
    return usec;
}

}  // namespace cxlmemd::emulator
