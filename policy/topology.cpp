// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/topology.h"

#include <algorithm>
#include <array>
#include <span>

#include "policy/error.h"

namespace cxlmemd {

namespace {

// The vectors of a topology are sorted by name, as std::string compares.
template <class T, class Name>
const T* find_named(const std::vector<T>& items, std::string_view name, Name name_of) {
    const auto it = std::ranges::lower_bound(items, name, {}, name_of);
    return it == items.end() || name_of(*it) != name ? nullptr : &*it;
}

// [first, last) of the blocks wholly inside a range; first >= last if there is none.
std::pair<std::uint64_t, std::uint64_t> whole_blocks_of(const PhysRange& range, Bytes block_size) {
    const std::uint64_t size = block_size.value();
    const std::uint64_t start = range.start.value();
    const std::uint64_t first = start / size + (start % size != 0 ? 1 : 0);
    return {first, range.end().value() / size};
}

}  // namespace

const DaxDevice* find_dax(const Topology& topology, std::string_view name) {
    return find_named(topology.dax_devices, name,
                      [](const DaxDevice& d) { return std::string_view{d.id.name}; });
}

const DaxDevice* find_dax(const Topology& topology, const DaxIdentity& identity) {
    const DaxDevice* device = find_dax(topology, identity.name);
    return device != nullptr && device->id == identity ? device : nullptr;
}

const Region* find_region(const Topology& topology, std::string_view name) {
    return find_named(topology.regions, name, [](const Region& r) { return std::string_view{r.name}; });
}

const RootDecoder* find_root_decoder(const Topology& topology, std::string_view name) {
    return find_named(topology.root_decoders, name,
                      [](const RootDecoder& d) { return std::string_view{d.name}; });
}

const Memdev* find_memdev(const Topology& topology, std::string_view name) {
    return find_named(topology.memdevs, name, [](const Memdev& m) { return std::string_view{m.name}; });
}

const Region* find_region(const Topology& topology, const RegionIdentity& identity) {
    const Region* region = find_region(topology, identity.name);
    return region != nullptr && identity_of(topology, *region) == identity ? region : nullptr;
}

const Memdev* find_memdev(const Topology& topology, const MemdevIdentity& identity) {
    const Memdev* memdev = find_memdev(topology, identity.name);
    return memdev != nullptr && identity_of(*memdev) == identity ? memdev : nullptr;
}

RegionIdentity identity_of(const Topology& topology, const Region& region) {
    RegionIdentity out{
        .name = region.name, .resource = region.resource, .serials = {}, .generation = region.generation};
    for (const std::string& name : region.memdevs) {
        if (const Memdev* memdev = find_memdev(topology, name)) out.serials.push_back(memdev->serial);
    }
    return out;
}

MemdevIdentity identity_of(const Memdev& memdev) {
    return {.name = memdev.name, .serial = memdev.serial, .generation = memdev.generation};
}

std::vector<const DaxDevice*> dax_devices_on(const Topology& topology, const Region& region) {
    std::vector<const DaxDevice*> out;
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.id.region == region.name) out.push_back(&device);
    }
    return out;
}

const Node* find_node(const Topology& topology, NodeId id) {
    const auto it = std::ranges::lower_bound(topology.nodes, id, {}, &Node::id);
    return it == topology.nodes.end() || it->id != id ? nullptr : &*it;
}

const Block* find_block(const Topology& topology, BlockIndex index) {
    const auto it = std::ranges::lower_bound(topology.blocks, index, {}, &Block::index);
    return it == topology.blocks.end() || it->index != index ? nullptr : &*it;
}

std::vector<BlockIndex> whole_blocks(const DaxDevice& device, Bytes block_size) {
    std::vector<BlockIndex> out;
    if (block_size.value() == 0) return out;
    for (const PhysRange& range : device.ranges) {
        const auto [first, last] = whole_blocks_of(range, block_size);
        for (std::uint64_t i = first; i < last; ++i) out.emplace_back(i);
    }
    if (!std::ranges::is_sorted(out)) std::ranges::sort(out);
    return out;
}

std::size_t whole_block_count(const DaxDevice& device, Bytes block_size) {
    std::size_t out = 0;
    if (block_size.value() == 0) return out;
    for (const PhysRange& range : device.ranges) {
        const auto [first, last] = whole_blocks_of(range, block_size);
        if (last > first) out += last - first;
    }
    return out;
}

Bytes stranded_bytes(const DaxDevice& device, Bytes block_size) {
    Bytes lost;
    for (const PhysRange& range : device.ranges) {
        std::uint64_t whole = 0;
        if (block_size.value() != 0) {
            const auto [first, last] = whole_blocks_of(range, block_size);
            if (last > first) whole = (last - first) * block_size.value();
        }
        lost += Bytes{range.size.value() - whole};
    }
    return lost;
}

namespace {

// Those in [first, last) that exist.
std::span<const Block> blocks_between(const Topology& topology, std::uint64_t first, std::uint64_t last) {
    if (first >= last) return {};
    const auto begin = std::ranges::lower_bound(topology.blocks, BlockIndex{first}, {}, &Block::index);
    // The blocks are unique: no more than that.
    const auto room = static_cast<std::uint64_t>(std::distance(begin, topology.blocks.end()));
    const auto furthest = begin + static_cast<std::ptrdiff_t>(std::min(room, last - first));
    return {begin, std::ranges::lower_bound(begin, furthest, BlockIndex{last}, {}, &Block::index)};
}

}  // namespace

std::span<const Block> present_blocks(const Topology& topology, const PhysRange& range) {
    if (topology.block_size.value() == 0) return {};
    const auto [first, last] = whole_blocks_of(range, topology.block_size);
    return blocks_between(topology, first, last);
}

std::span<const Block> overlapping_blocks(const Topology& topology, const PhysRange& range) {
    const std::uint64_t size = topology.block_size.value();
    if (size == 0 || range.size.value() == 0) return {};
    return blocks_between(topology, range.start.value() / size, (range.end().value() - 1) / size + 1);
}

std::vector<Block> present_blocks(const Topology& topology, const DaxDevice& device) {
    std::vector<Block> out;
    for (const PhysRange& range : device.ranges) {
        const auto present = present_blocks(topology, range);
        out.insert(out.end(), present.begin(), present.end());
    }
    if (device.ranges.size() > 1) std::ranges::sort(out, {}, &Block::index);
    return out;
}

std::size_t present_block_count(const Topology& topology, const DaxDevice& device) {
    std::size_t out = 0;
    for (const PhysRange& range : device.ranges) out += present_blocks(topology, range).size();
    return out;
}

bool reboot_required(const Topology& topology, const DaxDevice& device) {
    return device.mode != DaxMode::system_ram && present_block_count(topology, device) != 0;
}

const Unreadable* find_unreadable(const Topology& topology, const DaxDevice& device) {
    const auto concerns = [&](const Unreadable& each) {
        if (!each.where) return each.memdev.empty();
        return std::ranges::any_of(device.ranges,
                                   [&](const PhysRange& range) { return overlap(range, *each.where); });
    };
    const auto it = std::ranges::find_if(topology.unreadable, concerns);
    return it == topology.unreadable.end() ? nullptr : &*it;
}

std::string describe(const Unreadable& unreadable) {
    if (unreadable.errnum == 0) return unreadable.what + " makes no sense";
    return unreadable.what + " cannot be read (" + errno_name(unreadable.errnum) + ")";
}

std::string_view to_string(BlockState state) {
    switch (state) {
        case BlockState::offline: return "offline";
        case BlockState::going_offline: return "going-offline";
        case BlockState::online: return "online";
    }
    return "offline";
}

std::string_view to_string(Zone zone) {
    switch (zone) {
        case Zone::none: return "none";
        case Zone::kernel: return "kernel";
        case Zone::movable: return "movable";
    }
    return "none";
}

std::string_view to_string(DaxMode mode) {
    switch (mode) {
        case DaxMode::unbound: return "unbound";
        case DaxMode::system_ram: return "system-ram";
        case DaxMode::devdax: return "devdax";
        case DaxMode::famfs: return "famfs";
    }
    return "unbound";
}

std::string_view to_string(DaxKind kind) {
    switch (kind) {
        case DaxKind::cxl_ram: return "cxl-ram";
        case DaxKind::cxl_pmem: return "cxl-pmem";
        case DaxKind::hmem: return "hmem";
        case DaxKind::pmem: return "pmem";
    }
    return "cxl-ram";
}

std::string_view to_string(AutoOnline value) {
    switch (value) {
        case AutoOnline::offline: return "offline";
        case AutoOnline::online: return "online";
        case AutoOnline::online_kernel: return "online_kernel";
        case AutoOnline::online_movable: return "online_movable";
    }
    return "offline";
}

std::string_view to_string(RegionType type) {
    return type == RegionType::ram ? "ram" : "pmem";
}

std::string_view to_string(HotplugState state) {
    switch (state) {
        case HotplugState::unplugged: return "unplugged";
        case HotplugState::offline: return "offline";
        case HotplugState::online: return "online";
        case HotplugState::online_kernel: return "online_kernel";
        case HotplugState::online_movable: return "online_movable";
    }
    return "unplugged";
}

std::string_view to_string(CompetitorKind kind) {
    switch (kind) {
        case CompetitorKind::onlines: return "onlines";
        case CompetitorKind::may_online: return "may-online";
        case CompetitorKind::crash_dump: return "crash-dump";
        case CompetitorKind::block_by_block: return "block-by-block";
    }
    return "onlines";
}

std::optional<HotplugState> hotplug_state_from(std::string_view text) {
    using enum HotplugState;
    for (const HotplugState state : std::array{unplugged, offline, online, online_kernel, online_movable}) {
        if (to_string(state) == text) return state;
    }
    return std::nullopt;
}

std::optional<CompetitorKind> competitor_kind_from(std::string_view text) {
    using enum CompetitorKind;
    for (const CompetitorKind kind : std::array{onlines, may_online, crash_dump, block_by_block}) {
        if (to_string(kind) == text) return kind;
    }
    return std::nullopt;
}

std::optional<AutoOnline> auto_online_from(std::string_view text) {
    using enum AutoOnline;
    for (const AutoOnline value : std::array{offline, online, online_kernel, online_movable}) {
        if (to_string(value) == text) return value;
    }
    return std::nullopt;
}

std::optional<DaxMode> dax_mode_from(std::string_view text) {
    using enum DaxMode;
    for (const DaxMode mode : std::array{unbound, system_ram, devdax, famfs}) {
        if (to_string(mode) == text) return mode;
    }
    return std::nullopt;
}

}  // namespace cxlmemd
