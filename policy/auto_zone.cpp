// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/auto_zone.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "policy/block_choice.h"
#include "policy/decide.h"

namespace cxlmemd {

namespace {

// Bytes online by zone.
struct Zones {
    std::uint64_t kernel = 0;
    std::uint64_t movable = 0;

    Zones& operator+=(const Zones& other) {
        kernel += other.kernel;
        movable += other.movable;
        return *this;
    }
    // Nodes and blocks are read one after the other: never below nothing.
    Zones& operator-=(const Zones& other) {
        kernel -= std::min(kernel, other.kernel);
        movable -= std::min(movable, other.movable);
        return *this;
    }
};

Zones of_machine(const Topology& topology) {
    Zones out;
    for (const Node& node : topology.nodes) {
        out += {node.bytes_kernel.value(), node.bytes_movable.value()};
    }
    return out;
}

Zones now_online(const Topology& topology, const DaxDevice& device) {
    Zones out;
    for (const Block& block : present_blocks(topology, device)) {
        if (block.zone == Zone::kernel) out.kernel += topology.block_size.value();
        if (block.zone == Zone::movable) out.movable += topology.block_size.value();
    }
    return out;
}

// What the device has online once the goal has been reached as far as it can be.
Zones once_reached(const Topology& topology, const DaxDevice& device, const Goal& goal) {
    if (goal.mode == ModeWish::ignore || forbidden(topology, device, goal))
        return now_online(topology, device);
    if (goal.mode == ModeWish::devdax) {
        return topology.features.memory_hotremove ? Zones{} : now_online(topology, device);
    }
    Zones out;
    for (const ZonePart& part : choose_blocks(topology, device, goal).parts) {
        const std::uint64_t there = part.right.size() + part.rezoned.size() + part.brought.size();
        const std::uint64_t elsewhere = part.kept.size() + part.stuck_zone.size();
        const std::uint64_t in_kernel = part.zone == Zone::kernel ? there : elsewhere;
        const std::uint64_t in_movable = part.zone == Zone::kernel ? elsewhere : there;
        out += {in_kernel * topology.block_size.value(), in_movable * topology.block_size.value()};
    }
    return out;
}

// The largest m with others.movable + m blocks <= ratio * others.kernel.
std::uint64_t allowed_blocks(const Zones& others, double max_ratio, Bytes block_size) {
    const double limit = max_ratio * static_cast<double>(others.kernel);
    const auto block = static_cast<double>(block_size.value());
    const double room = (limit - static_cast<double>(others.movable)) / block;
    if (room < 1) return 0;
    constexpr double most = 1ULL << 52;  // no machine has so many blocks
    auto blocks = static_cast<std::uint64_t>(std::min(room, most));
    // Division rounds; the comparison decides.
    const auto fits = [&](std::uint64_t count) {
        return static_cast<double>(others.movable) + static_cast<double>(count) * block <= limit;
    };
    while (blocks > 0 && !fits(blocks)) --blocks;
    return blocks;
}

bool is_automatic(const Wish& wish) {
    return wish.goal != nullptr && wish.goal->mode == ModeWish::system_ram &&
           wish.goal->zone == ZoneWish::automatic;
}

}  // namespace

std::vector<std::optional<Split>> split_automatic(const Topology& topology, std::span<const Wish> wishes,
                                                  double max_ratio) {
    std::vector<std::optional<Split>> out(wishes.size());
    std::vector<std::size_t> to_place;
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        if (is_automatic(wishes[i])) to_place.push_back(i);
    }
    if (to_place.empty() || topology.block_size.value() == 0) return out;
    std::ranges::sort(to_place, {}, [&](std::size_t i) {
        const DaxDevice& device = *wishes[i].device;
        return std::tuple{device.id.generation, device.id.name};
    });

    Zones others = of_machine(topology);
    for (const Wish& wish : wishes) {
        if (wish.goal == nullptr) continue;
        others -= now_online(topology, *wish.device);
        if (!is_automatic(wish)) others += once_reached(topology, *wish.device, *wish.goal);
    }
    for (const std::size_t i : to_place) {
        Goal placed = *wishes[i].goal;
        placed.split = Split{allowed_blocks(others, max_ratio, topology.block_size), max_ratio};
        const std::uint64_t wanted = forbidden(topology, *wishes[i].device, placed)
                                         ? 0
                                         : choose_blocks(topology, *wishes[i].device, placed).wanted;
        placed.split->movable_blocks = std::min(placed.split->movable_blocks, wanted);
        out[i] = placed.split;
        others += once_reached(topology, *wishes[i].device, placed);
    }
    return out;
}

std::uint64_t movable_allowance(const Topology& topology, const DaxDevice& device, double max_ratio) {
    if (topology.block_size.value() == 0) return 0;
    Zones others = of_machine(topology);
    const Zones own = now_online(topology, device);
    others -= own;
    const std::uint64_t allowed = allowed_blocks(others, max_ratio, topology.block_size);
    return allowed - std::min(allowed, own.movable / topology.block_size.value());
}

}  // namespace cxlmemd
