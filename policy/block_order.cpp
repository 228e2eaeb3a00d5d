// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/block_order.h"

#include <algorithm>
#include <utility>

namespace cxlmemd {

namespace {

struct ZoneBlocks {
    Zone zone = Zone::none;
    std::vector<BlockIndex> blocks;  // ascending
};

void append_with_hole(const std::vector<BlockIndex>& blocks, std::vector<BlockIndex>& out) {
    if (blocks.size() > 1) {
        out.push_back(blocks[1]);
        out.insert(out.end(), blocks.rbegin(), blocks.rend() - 2);
    }
    out.push_back(blocks.front());
}

}  // namespace

std::vector<BlockIndex> online_order(std::vector<BlockIndex> ascending) {
    std::ranges::reverse(ascending);
    return ascending;
}

std::vector<BlockIndex> offline_order(const Topology& topology, const std::vector<BlockIndex>& ascending) {
    std::vector<ZoneBlocks> zones;
    for (const BlockIndex index : ascending) {
        const Block* block = find_block(topology, index);
        const Zone zone = block == nullptr ? Zone::none : block->zone;
        auto mine = std::ranges::find(zones, zone, &ZoneBlocks::zone);
        if (mine == zones.end()) mine = zones.insert(zones.end(), {zone, {}});
        mine->blocks.push_back(index);
    }
    std::stable_partition(zones.begin(), zones.end(),
                          [](const ZoneBlocks& each) { return each.zone != Zone::none; });
    std::vector<BlockIndex> out;
    out.reserve(ascending.size());
    for (const ZoneBlocks& each : zones) append_with_hole(each.blocks, out);
    return out;
}

}  // namespace cxlmemd
