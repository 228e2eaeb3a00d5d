// SPDX-License-Identifier: LGPL-2.1-or-later
// Test helper: builds topologies tersely, and shows a device's memory blocks as a picture.
//
// A picture has one character a whole block, lowest first:
//   M online in ZONE_MOVABLE    K online in a kernel zone    - going offline    x does not exist
//   . offline, any zone    m offline, only ZONE_MOVABLE allowed    k offline, only a kernel zone
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/decide.h"
#include "policy/topology.h"

namespace cxlmemd::test {

inline constexpr std::uint64_t mib = 1024 * 1024;
inline constexpr std::uint64_t gib = 1024 * mib;
inline constexpr Bytes block_128m{128 * mib};

[[nodiscard]] inline PhysRange range_of(std::uint64_t first_block, std::uint64_t blocks) {
    return {PhysAddr{first_block * block_128m.value()}, Bytes{blocks * block_128m.value()}};
}

[[nodiscard]] inline Block block_of(std::uint64_t index, char look, NodeId node = NodeId{1}) {
    Block block{.index = BlockIndex{index}, .node = node};
    switch (look) {
        case 'M':
            block.state = BlockState::online;
            block.zone = Zone::movable;
            break;
        case 'K':
            block.state = BlockState::online;
            block.zone = Zone::kernel;
            break;
        case '-': block.state = BlockState::going_offline; break;
        case 'm': block.kernel_allowed = false; break;
        case 'k': block.movable_allowed = false; break;
        default: break;
    }
    return block;
}

[[nodiscard]] inline char look_of(const Block* block) {
    if (block == nullptr) return 'x';
    if (block->state == BlockState::going_offline) return '-';
    if (block->state == BlockState::online) return block->zone == Zone::movable ? 'M' : 'K';
    if (!block->kernel_allowed) return 'm';
    return block->movable_allowed ? '.' : 'k';
}

[[nodiscard]] inline std::string picture(const Topology& topology, const DaxDevice& device) {
    std::string out;
    for (const BlockIndex index : whole_blocks(device, topology.block_size)) {
        out += look_of(find_block(topology, index));
    }
    return out;
}

// "set-mode devdax; offline 102 103; online movable 105 104"
[[nodiscard]] inline std::string words(const std::vector<Step>& steps) {
    std::string out;
    for (const Step& step : steps) {
        if (!out.empty()) out += "; ";
        switch (step.kind) {
            case StepKind::set_mode: out += "set-mode " + std::string{to_string(step.mode)}; break;
            case StepKind::unplug: out += "unplug"; break;
            case StepKind::offline: out += step.by_state ? "offline by state" : "offline"; break;
            case StepKind::online:
                out += "online " + std::string{to_string(step.zone)} + (step.by_state ? " by state" : "");
                break;
            case StepKind::destroy_region: out += "destroy-region"; break;
        }
        for (const BlockIndex index : step.blocks) out += " " + std::to_string(index.value());
    }
    return out;
}

class TopologyBuilder final {
 public:
    TopologyBuilder() { topology_.block_size = block_128m; }

    // A dax device of one range whose blocks, from `first_block` on, look like `picture`. Further
    // facts are set through the reference, which the next call makes stale.
    DaxDevice& dax(std::string name, std::uint64_t first_block, std::string_view picture,
                   DaxMode mode = DaxMode::system_ram) {
        DaxDevice device;
        device.id.name = std::move(name);
        device.target_node = NodeId{1};
        device.mode = mode;
        topology_.dax_devices.push_back(std::move(device));
        range(first_block, picture);
        return topology_.dax_devices.back();
    }

    // One more range of the device added last.
    TopologyBuilder& range(std::uint64_t first_block, std::string_view picture) {
        DaxDevice& device = topology_.dax_devices.back();
        const PhysRange range = range_of(first_block, picture.size());
        device.ranges.push_back(range);
        device.size += range.size;
        device.id.start = device.ranges.front().start;
        device.resource = device.id.start;
        for (std::size_t i = 0; i < picture.size(); ++i) {
            if (picture[i] == 'x') continue;
            topology_.blocks.push_back(block_of(first_block + i, picture[i], device.target_node));
        }
        return *this;
    }

    TopologyBuilder& memdev(std::string name, std::uint64_t serial, std::string host) {
        Memdev& memdev = topology_.memdevs.emplace_back();
        memdev.name = std::move(name);
        memdev.serial = serial;
        memdev.host = std::move(host);
        return *this;
    }

    // A region of those memdevs; further facts as with dax().
    Region& region(std::string name, std::vector<std::string> memdevs) {
        Region& region = topology_.regions.emplace_back();
        region.name = std::move(name);
        region.interleave_ways = static_cast<std::uint32_t>(memdevs.size());
        region.memdevs = std::move(memdevs);
        region.root_decoder = "decoder0.0";
        return region;
    }

    Node& node(int id, Bytes kernel = {}, Bytes movable = {}) {
        Node& node = topology_.nodes.emplace_back();
        node.id = NodeId{id};
        node.bytes_kernel = kernel;
        node.bytes_movable = movable;
        return node;
    }

    TopologyBuilder& no_hotremove() {
        topology_.features.memory_hotremove = false;
        return *this;
    }

    TopologyBuilder& auto_online(AutoOnline value) {
        topology_.auto_online = value;
        return *this;
    }

    // The topology, in the order that a backend gives it.
    [[nodiscard]] Topology build() const {
        Topology out = topology_;
        std::ranges::sort(out.memdevs, {}, &Memdev::name);
        std::ranges::sort(out.regions, {}, &Region::name);
        std::ranges::sort(out.dax_devices, {}, [](const DaxDevice& d) { return d.id.name; });
        std::ranges::sort(out.blocks, {}, &Block::index);
        std::ranges::sort(out.nodes, {}, &Node::id);
        return out;
    }

 private:
    Topology topology_;
};

// A goal that says only what is given: goal(ZoneWish::kernel, AmountPercent{50}).
template <class... Wishes>
[[nodiscard]] Goal goal(Wishes... wishes) {
    struct Setter {
        Goal out;
        void set(ModeWish mode) { out.mode = mode; }
        void set(ZoneWish zone) { out.zone = zone; }
        void set(OnConflict on_conflict) { out.on_conflict = on_conflict; }
        void set(Amount amount) { out.amount = amount; }
        void set(NodeId node) { out.require_node.push_back(node); }
    } setter;
    (setter.set(wishes), ...);
    return setter.out;
}

// A topology of one device, dax0.0, with its first block at 100.
[[nodiscard]] inline Topology one_device(std::string_view picture, DaxMode mode = DaxMode::system_ram) {
    TopologyBuilder builder;
    builder.dax("dax0.0", 100, picture, mode);
    return builder.build();
}

}  // namespace cxlmemd::test
