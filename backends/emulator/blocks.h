// SPDX-License-Identifier: LGPL-2.1-or-later
// The memory blocks that kmem has added to the emulated kernel: one byte each, in spans.
//
// A span is what one add_memory() made (one range of a dax device), and what one remove_memory()
// takes away. Finding a block is a binary search over spans; a 16 TiB machine (131,072 blocks) costs
// 128 KiB, and no operation on one block looks at another.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd::emulator {

class MemoryBlocks final {
 public:
    struct Span {
        BlockIndex first;
        std::uint64_t count = 0;

        [[nodiscard]] std::uint64_t end() const { return first.value() + count; }
    };

    // What a node has of its added memory online, in blocks, and how many blocks it has at all.
    struct NodeCount {
        std::uint64_t present = 0;
        std::uint64_t kernel = 0;
        std::uint64_t movable = 0;
    };

    // True if a block of the span exists already.
    [[nodiscard]] bool overlaps(Span span) const;
    // Adds the blocks, offline. The span must not overlap an existing one.
    void add(Span span, NodeId node);
    // Removes a span that was added as a whole; false, and nothing changed, if a block is online.
    bool remove(Span span);

    [[nodiscard]] bool exists(BlockIndex block) const { return at(block) != nullptr; }
    // The zone of a block that exists; none if it is offline.
    [[nodiscard]] Zone zone(BlockIndex block) const;
    void set_zone(BlockIndex block, Zone zone);
    [[nodiscard]] bool pinned(BlockIndex block) const;
    void set_pinned(BlockIndex block, bool pinned);
    [[nodiscard]] bool poisoned(BlockIndex block) const;
    void set_poisoned(BlockIndex block, bool poisoned);
    // An online block that reads going-offline; it ends when the zone is set.
    void set_leaving(BlockIndex block, bool leaving);

    // From the first to the last online block of the node in that zone, whatever lies between.
    [[nodiscard]] std::optional<Span> extent(NodeId node, Zone zone) const;
    // How many blocks there are in that zone from its first on up to a hole, with a hole in place of this
    // one.
    [[nodiscard]] std::uint64_t run_without(NodeId node, Zone zone, BlockIndex block) const;

    [[nodiscard]] std::optional<Block> look(BlockIndex block) const;
    // Appends the blocks that exist in the span, ascending.
    void look(Span span, std::vector<Block>& out) const;
    [[nodiscard]] std::uint64_t count_online(Span span) const;
    // The first `limit` online blocks of the span.
    [[nodiscard]] std::vector<BlockIndex> online(Span span, std::size_t limit) const;

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] NodeCount on_node(NodeId node) const;
    [[nodiscard]] const std::map<NodeId, NodeCount>& nodes() const { return nodes_; }

 private:
    struct Added {
        NodeId node;
        std::uint64_t online = 0;
        std::vector<std::uint8_t> flags;  // see blocks.cpp
    };

    struct Place {
        NodeId node;
        std::uint64_t* online = nullptr;
        std::uint8_t* flags = nullptr;  // null: there is no such block
    };
    [[nodiscard]] Place find(BlockIndex block);
    void set_flag(BlockIndex block, std::uint8_t flag, bool on);
    [[nodiscard]] bool has_flag(BlockIndex block, std::uint8_t flag) const;
    [[nodiscard]] const std::uint8_t* at(BlockIndex block) const;
    template <class Visit>
    void visit(Span span, Visit visit) const;

    std::map<std::uint64_t, Added> added_;  // by first block
    std::map<NodeId, NodeCount> nodes_;     // those with a block
    std::uint64_t count_ = 0;
};

}  // namespace cxlmemd::emulator
