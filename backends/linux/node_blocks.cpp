// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/node_blocks.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace cxlmemd {

NodeBlocks::NodeBlocks(const LinuxPaths& paths, const MemoryBlocks& blocks, Bytes block_size, Zones zones)
    : paths_(paths), blocks_(blocks), block_size_(block_size), zones_(std::move(zones)) {}

std::optional<Block> NodeBlocks::find(BlockIndex index, NodeId node) {
    if (node == no_node) return std::nullopt;
    auto at = nodes_.find(node);
    if (at == nodes_.end()) at = nodes_.emplace(node, look_at(node)).first;
    if (!at->second || !std::ranges::binary_search(at->second->indices, index)) return std::nullopt;
    Block out = at->second->sample;
    out.index = index;
    return out;
}

std::optional<NodeBlocks::Same> NodeBlocks::look_at(NodeId node) const {
    if (zones_.empty()) return std::nullopt;  // not readable: "no pages" would be a guess
    Same out;
    const auto numbers = sysfs::numbers_in(paths_.nodes() + "/node" + std::to_string(node.value()), "memory");
    if (numbers.empty()) return std::nullopt;
    out.indices.reserve(numbers.size());
    for (const std::uint64_t number : numbers) out.indices.emplace_back(number);

    const auto found = zones_.find(node);
    const ZonePages pages = found == zones_.end() ? ZonePages{} : found->second;
    const auto sample = blocks_.read(out.indices.front(), node);
    if (!sample || sample->node != node) return std::nullopt;
    out.sample = *sample;

    if (pages.kernel == 0 && pages.movable == 0) {
        if (sample->state != BlockState::offline) return std::nullopt;
        return out;
    }
    const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t all = out.indices.size() * (block_size_.value() / page_size);
    const bool one_zone = (sample->zone == Zone::movable && pages.movable == all && pages.kernel == 0) ||
                          (sample->zone == Zone::kernel && pages.kernel == all && pages.movable == 0);
    if (sample->state != BlockState::online || !one_zone) return std::nullopt;
    return out;
}

}  // namespace cxlmemd
