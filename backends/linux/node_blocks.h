// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory blocks of a node that all do the same, known without a look at each.
//
// 1024 blocks cost 7168 system calls one by one. But a node's folder lists its blocks, and /proc/zoneinfo
// counts the pages that are online in each zone of it: with none in any zone every block is offline; with as
// many in one zone as the blocks hold, and none in another, every block is online there. One block is read
// for what both do not say. Anything else (parts online, a node with processors whose memory has holes) is
// answered with nothing, and its blocks are to be read one by one.
//
// Worker thread; good for one look at the machine: what changes meanwhile comes with an event.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "backends/linux/memory_blocks.h"
#include "backends/linux/zoneinfo.h"

namespace cxlmemd {

class NodeBlocks final {
 public:
    using Zones = std::map<NodeId, ZonePages>;  // parse_zoneinfo()

    NodeBlocks(const LinuxPaths& paths, const MemoryBlocks& blocks, Bytes block_size, Zones zones);

    // nullopt: the node does not tell, or does not have the block.
    [[nodiscard]] std::optional<Block> find(BlockIndex index, NodeId node);

 private:
    struct Same {
        std::vector<BlockIndex> indices;  // ascending
        Block sample;                     // all do as this one
    };
    [[nodiscard]] std::optional<Same> look_at(NodeId node) const;

    const LinuxPaths& paths_;
    const MemoryBlocks& blocks_;
    Bytes block_size_;
    Zones zones_;
    std::map<NodeId, std::optional<Same>> nodes_;  // those asked for
};

}  // namespace cxlmemd
