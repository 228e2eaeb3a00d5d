// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/block_change.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cxlmemd {

namespace {

class Exchange final {
 public:
    Exchange(Topology& topology, std::span<const BlockIndex> looked_at, std::span<const Block> found)
        : topology_(topology),
          named_(looked_at.begin(), looked_at.end()),
          found_(found.begin(), found.end()) {
        std::ranges::sort(named_);
        named_.erase(std::unique(named_.begin(), named_.end()), named_.end());
        std::ranges::sort(found_, {}, &Block::index);
    }

    BlockChange run(const BlockOwners& owners) {
        find_owners(owners);
        for (const auto& [owner, index] : owned_) look_at(owner, index);
        if (out_.structural) rebuild();
        std::ranges::sort(out_.nodes);
        out_.nodes.erase(std::unique(out_.nodes.begin(), out_.nodes.end()), out_.nodes.end());
        return std::move(out_);
    }

 private:
    // Those of the named blocks that lie wholly in a dax device, device by device. Of the others, those that
    // a topology has: the memory of a card that no dax device has.
    void find_owners(const BlockOwners& owners) {
        std::vector<std::size_t> devices;
        for (const BlockIndex index : named_) {
            owners.find(index, devices);
            if (devices.empty() && is_of_a_card(index)) look_at_unowned(index);
            for (const std::size_t device : devices) owned_.push_back({device, index});
        }
        std::ranges::sort(owned_);
    }

    [[nodiscard]] bool is_of_a_card(BlockIndex index) const {
        const PhysRange block{PhysAddr{index.value() * topology_.block_size.value()}, topology_.block_size};
        const auto holds = [&](PhysAddr start, Bytes size) {
            return size.value() != 0 && overlap(block, {start, size});
        };
        return std::ranges::any_of(
                   topology_.root_decoders,
                   [&](const RootDecoder& d) { return holds(d.window.start, d.window.size); }) ||
               std::ranges::any_of(topology_.regions,
                                   [&](const Region& r) { return holds(r.resource, r.size); });
    }

    void look_at_unowned(BlockIndex index) {
        if (exchange(index)) out_.structural = true;  // what it means is for a scan to say
    }

    void look_at(std::size_t owner, BlockIndex index) {
        if (exchange(index) && (out_.devices.empty() || out_.devices.back() != owner))
            out_.devices.push_back(owner);
    }

    // True if the block is not as it was.
    bool exchange(BlockIndex index) {
        const auto old = std::ranges::lower_bound(topology_.blocks, index, {}, &Block::index);
        const bool was_there = old != topology_.blocks.end() && old->index == index;
        const auto fresh = std::ranges::lower_bound(found_, index, {}, &Block::index);
        const bool is_there = fresh != found_.end() && fresh->index == index;
        if (!was_there && !is_there) return false;
        if (was_there && is_there && *old == *fresh) return false;
        out_.changed = true;
        if (was_there) count(*old, -1);
        if (is_there) count(*fresh, 1);
        if (was_there && is_there) {
            *old = *fresh;
        } else {
            out_.structural = true;
            (is_there ? added_ : removed_).push_back(index);
        }
        return true;
    }

    void count(const Block& block, int sign) {
        if (block.state == BlockState::online) out_.online += sign;
        if (block.state == BlockState::offline || block.zone == Zone::none) return;
        const auto node = std::ranges::lower_bound(topology_.nodes, block.node, {}, &Node::id);
        if (node == topology_.nodes.end() || node->id != block.node) {
            out_.node_turned = true;  // one that a scan has not seen yet
            return;
        }
        Bytes& bytes = block.zone == Zone::movable ? node->bytes_movable : node->bytes_kernel;
        const bool had_memory = (node->bytes_kernel + node->bytes_movable).value() != 0;
        if (sign > 0) {
            bytes += topology_.block_size;
        } else {
            bytes = bytes - std::min(bytes, topology_.block_size);
        }
        const bool has_memory = (node->bytes_kernel + node->bytes_movable).value() != 0;
        if (had_memory != has_memory) out_.node_turned = true;
        out_.nodes.push_back(block.node);
    }

    void rebuild() {
        std::ranges::sort(removed_);
        std::ranges::sort(added_);
        std::erase_if(topology_.blocks,
                      [&](const Block& block) { return std::ranges::binary_search(removed_, block.index); });
        std::vector<Block> fresh;
        std::ranges::copy_if(found_, std::back_inserter(fresh), [&](const Block& block) {
            return std::ranges::binary_search(added_, block.index);
        });
        std::vector<Block> all;
        all.reserve(topology_.blocks.size() + fresh.size());
        std::ranges::merge(topology_.blocks, fresh, std::back_inserter(all), {}, &Block::index,
                           &Block::index);
        topology_.blocks = std::move(all);
    }

    Topology& topology_;
    std::vector<BlockIndex> named_;
    std::vector<Block> found_;
    std::vector<std::pair<std::size_t, BlockIndex>> owned_;  // with the places of their devices
    std::vector<BlockIndex> added_;
    std::vector<BlockIndex> removed_;
    BlockChange out_;
};

}  // namespace

BlockChange exchange_blocks(Topology& topology, const BlockOwners& owners,
                            std::span<const BlockIndex> looked_at, std::span<const Block> found) {
    return Exchange{topology, looked_at, found}.run(owners);
}

Topology with_blocks(const Topology& topology, std::span<const BlockIndex> looked_at,
                     std::span<const Block> found) {
    Topology out = topology;
    exchange_blocks(out, BlockOwners{out}, looked_at, found);
    return out;
}

}  // namespace cxlmemd
