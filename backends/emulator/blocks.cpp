// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/blocks.h"

#include <algorithm>
#include <iterator>

namespace cxlmemd::emulator {

namespace {

constexpr std::uint8_t zone_mask = 0x3;  // a Zone
constexpr std::uint8_t pin_flag = 0x4;
constexpr std::uint8_t leaving_flag = 0x8;
constexpr std::uint8_t poison_flag = 0x10;

Zone zone_of(std::uint8_t flags) {
    return static_cast<Zone>(flags & zone_mask);
}

Block make_block(BlockIndex index, std::uint8_t flags, NodeId node) {
    Block block;
    block.index = index;
    block.zone = zone_of(flags);
    block.state = block.zone == Zone::none ? BlockState::offline : BlockState::online;
    if (block.state == BlockState::online && (flags & leaving_flag) != 0) {
        block.state = BlockState::going_offline;
        block.zone = Zone::none;
    }
    block.node = node;
    return block;
}

std::uint64_t& counter(MemoryBlocks::NodeCount& node, Zone zone) {
    return zone == Zone::kernel ? node.kernel : node.movable;
}

}  // namespace

// Calls visit(index, flags, added) for every block that exists in the span, ascending, until it
// returns false.
template <class Visit>
void MemoryBlocks::visit(Span span, Visit visit) const {
    auto it = added_.upper_bound(span.first.value());
    if (it != added_.begin()) --it;
    for (; it != added_.end() && it->first < span.end(); ++it) {
        const std::uint64_t from = std::max(it->first, span.first.value());
        const std::uint64_t to = std::min(it->first + it->second.flags.size(), span.end());
        for (std::uint64_t i = from; i < to; ++i) {
            if (!visit(BlockIndex{i}, it->second.flags[i - it->first], it->second)) return;
        }
    }
}

const std::uint8_t* MemoryBlocks::at(BlockIndex block) const {
    auto it = added_.upper_bound(block.value());
    if (it == added_.begin()) return nullptr;
    --it;
    const std::uint64_t offset = block.value() - it->first;
    return offset < it->second.flags.size() ? &it->second.flags[offset] : nullptr;
}

MemoryBlocks::Place MemoryBlocks::find(BlockIndex block) {
    auto it = added_.upper_bound(block.value());
    if (it == added_.begin()) return {};
    --it;
    const std::uint64_t offset = block.value() - it->first;
    if (offset >= it->second.flags.size()) return {};
    return {it->second.node, &it->second.online, &it->second.flags[offset]};
}

bool MemoryBlocks::overlaps(Span span) const {
    bool found = false;
    visit(span, [&](BlockIndex, std::uint8_t, const Added&) {
        found = true;
        return false;
    });
    return found;
}

void MemoryBlocks::add(Span span, NodeId node) {
    added_[span.first.value()] = {node, 0, std::vector<std::uint8_t>(span.count)};
    nodes_[node].present += span.count;
    count_ += span.count;
}

bool MemoryBlocks::remove(Span span) {
    const auto it = added_.find(span.first.value());
    if (it == added_.end() || it->second.online != 0) return false;
    const auto node = nodes_.find(it->second.node);
    node->second.present -= it->second.flags.size();
    count_ -= it->second.flags.size();
    if (node->second.present == 0) nodes_.erase(node);
    added_.erase(it);
    return true;
}

Zone MemoryBlocks::zone(BlockIndex block) const {
    const std::uint8_t* flags = at(block);
    return flags == nullptr ? Zone::none : zone_of(*flags);
}

void MemoryBlocks::set_zone(BlockIndex block, Zone zone) {
    const Place place = find(block);
    if (place.flags == nullptr) return;
    NodeCount& node = nodes_[place.node];
    if (const Zone old = zone_of(*place.flags); old != Zone::none) {
        --counter(node, old);
        --*place.online;
    }
    if (zone != Zone::none) {
        ++counter(node, zone);
        ++*place.online;
    }
    *place.flags = static_cast<std::uint8_t>((*place.flags & ~(zone_mask | leaving_flag)) |
                                             static_cast<std::uint8_t>(zone));
}

bool MemoryBlocks::has_flag(BlockIndex block, std::uint8_t flag) const {
    const std::uint8_t* flags = at(block);
    return flags != nullptr && (*flags & flag) != 0;
}

void MemoryBlocks::set_flag(BlockIndex block, std::uint8_t flag, bool on) {
    std::uint8_t* const flags = find(block).flags;
    if (flags == nullptr) return;
    *flags = static_cast<std::uint8_t>(on ? *flags | flag : *flags & ~flag);
}

bool MemoryBlocks::pinned(BlockIndex block) const {
    return has_flag(block, pin_flag);
}

void MemoryBlocks::set_pinned(BlockIndex block, bool pinned) {
    set_flag(block, pin_flag, pinned);
}

bool MemoryBlocks::poisoned(BlockIndex block) const {
    return has_flag(block, poison_flag);
}

void MemoryBlocks::set_poisoned(BlockIndex block, bool poisoned) {
    set_flag(block, poison_flag, poisoned);
}

void MemoryBlocks::set_leaving(BlockIndex block, bool leaving) {
    set_flag(block, leaving_flag, leaving);
}

std::optional<MemoryBlocks::Span> MemoryBlocks::extent(NodeId node, Zone zone) const {
    std::optional<Span> out;
    for (const auto& [first, added] : added_) {
        if (added.node != node || added.online == 0) continue;
        for (std::size_t i = 0; i < added.flags.size(); ++i) {
            if (zone_of(added.flags[i]) != zone) continue;
            if (!out) out = Span{BlockIndex{first + i}, 0};
            out->count = first + i - out->first.value() + 1;
        }
    }
    return out;
}

std::uint64_t MemoryBlocks::run_without(NodeId node, Zone zone, BlockIndex block) const {
    std::uint64_t run = 0;
    std::uint64_t next = 0;  // where the run would go on
    for (const auto& [first, added] : added_) {
        if (added.node != node) continue;
        for (std::uint64_t i = first; i < first + added.flags.size(); ++i) {
            const bool inside = i != block.value() && zone_of(added.flags[i - first]) == zone;
            if (run > 0 && (!inside || i != next)) return run;
            if (!inside) continue;
            ++run;
            next = i + 1;
        }
    }
    return run;
}

std::optional<Block> MemoryBlocks::look(BlockIndex block) const {
    std::vector<Block> found;
    look(Span{block, 1}, found);
    return found.empty() ? std::nullopt : std::optional{found.front()};
}

void MemoryBlocks::look(Span span, std::vector<Block>& out) const {
    visit(span, [&](BlockIndex index, std::uint8_t flags, const Added& added) {
        out.push_back(make_block(index, flags, added.node));
        return true;
    });
}

std::uint64_t MemoryBlocks::count_online(Span span) const {
    if (const auto it = added_.find(span.first.value());
        it != added_.end() && it->second.flags.size() == span.count) {
        return it->second.online;  // the usual question, about a span as it was added
    }
    std::uint64_t online = 0;
    visit(span, [&](BlockIndex, std::uint8_t flags, const Added&) {
        online += zone_of(flags) != Zone::none ? 1U : 0U;
        return true;
    });
    return online;
}

std::vector<BlockIndex> MemoryBlocks::online(Span span, std::size_t limit) const {
    std::vector<BlockIndex> out;
    visit(span, [&](BlockIndex index, std::uint8_t flags, const Added&) {
        if (out.size() < limit && zone_of(flags) != Zone::none) out.push_back(index);
        return out.size() < limit;
    });
    return out;
}

MemoryBlocks::NodeCount MemoryBlocks::on_node(NodeId node) const {
    const auto it = nodes_.find(node);
    return it == nodes_.end() ? NodeCount{} : it->second;
}

}  // namespace cxlmemd::emulator
