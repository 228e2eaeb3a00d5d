// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/occupancy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "policy/card_places.h"
#include "policy/policy.h"

namespace cxlmemd {

namespace {

using Kind = Occupant::Kind;

constexpr std::size_t most_named = 3;  // occupants of one kind in a sentence

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

// The memory blocks that kmem has for a dax device: the ones a drain takes along.
class DrainableBlocks final {
 public:
    explicit DrainableBlocks(const Topology& topology) : size_(topology.block_size.value()) {
        if (size_ == 0) return;
        for (const DaxDevice& device : topology.dax_devices) {
            if (device.mode != DaxMode::system_ram) continue;
            for (const PhysRange& range : device.ranges) {
                const std::uint64_t first = (range.start.value() + size_ - 1) / size_;
                const std::uint64_t end = range.end().value() / size_;
                if (first < end) stretches_.emplace_back(first, end);
            }
        }
        std::ranges::sort(stretches_);
    }

    // Those of the blocks, ascending, that are not among them: whole stretches are passed over.
    [[nodiscard]] std::vector<Block> others(std::span<const Block> blocks) const {
        std::vector<Block> out;
        for (auto it = blocks.begin(); it != blocks.end();) {
            const auto after = std::ranges::upper_bound(stretches_, it->index.value(), {},
                                                        &std::pair<std::uint64_t, std::uint64_t>::first);
            if (after != stretches_.begin() && std::prev(after)->second > it->index.value()) {
                const BlockIndex end{std::prev(after)->second};
                it = std::ranges::lower_bound(it, blocks.end(), end, {}, &Block::index);
                continue;
            }
            out.push_back(*it++);
        }
        return out;
    }

 private:
    std::uint64_t size_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> stretches_;
};

PhysRange range_of(const Topology& topology, BlockIndex block) {
    const Bytes size = topology.block_size;
    return {PhysAddr{block.value() * size.value()}, size};
}

bool lies_in(const PhysRange& inner, const PhysRange& outer) {
    return outer.start <= inner.start && inner.end() <= outer.end();
}

// What a block is that no kmem has.
struct Origin {
    Kind kind = Kind::unexplained;
    std::string dax;
    const Leak* leak = nullptr;
};

Origin origin_of(const Topology& topology, const PhysRange& block) {
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.mode == DaxMode::system_ram) continue;
        if (std::ranges::any_of(device.ranges, [&](const PhysRange& r) { return lies_in(block, r); }))
            return {Kind::leaked, device.id.name, nullptr};
    }
    if (topology.firmware_ram && touches(*topology.firmware_ram, block))
        return {Kind::plain_ram, {}, nullptr};
    for (const Leak& leak : topology.leaks) {
        if (overlap(leak.range, block)) return {Kind::leaked, leak.dax, &leak};
    }
    return {topology.firmware_ram ? Kind::leaked : Kind::unexplained, {}, nullptr};
}

// Appends the block to the last occupant if it goes on from there and is alike.
void append(std::vector<Occupant>& out, const Topology& topology, const Block& block, Kind kind,
            const std::string& dax, const std::vector<std::string>& candidates) {
    const bool goes_on = !out.empty() && out.back().kind == kind && out.back().name == dax &&
                         out.back().node == block.node && out.back().candidates == candidates &&
                         out.back().blocks != 0 && out.back().last.value() + 1 == block.index.value();
    if (!goes_on) {
        out.push_back({.kind = kind,
                       .name = dax,
                       .first = block.index,
                       .last = block.index,
                       .blocks = 0,
                       .online = 0,
                       .bytes = {},
                       .node = block.node,
                       .candidates = candidates});
    }
    Occupant& last = out.back();
    last.last = block.index;
    ++last.blocks;
    if (block.state != BlockState::offline) ++last.online;
    last.bytes += topology.block_size;
}

Occupant occupant_of(const Topology& topology, const DaxDevice& device, std::vector<std::string> candidates) {
    Occupant out{.kind = Kind::dax,
                 .name = device.id.name,
                 .first = {},
                 .last = {},
                 .blocks = 0,
                 .online = 0,
                 .bytes = device.size,
                 .node = device.target_node,
                 .candidates = std::move(candidates)};
    for (const PhysRange& range : device.ranges) {
        for (const Block& block : present_blocks(topology, range)) {
            if (out.blocks == 0 || block.index < out.first) out.first = block.index;
            if (out.blocks == 0 || block.index > out.last) out.last = block.index;
            ++out.blocks;
            if (block.state != BlockState::offline) ++out.online;
        }
    }
    return out;
}

Occupant occupant_of(const Unreadable& unreadable) {
    Occupant out{.kind = Kind::unreadable,
                 .name = unreadable.what,
                 .first = {},
                 .last = {},
                 .blocks = 0,
                 .online = 0,
                 .bytes = {}};
    out.why = describe(unreadable);
    return out;
}

// Ends as devices, then the rest.
class Collector final {
 public:
    Collector(const Topology& topology, CardPlaces places)
        : topology_(topology), places_(std::move(places)) {}

    void add_devices(const std::string& region_or_card, bool is_region) {
        const CardPlaces known = places_;  // without what the devices add to it
        for (const DaxDevice& device : topology_.dax_devices) {
            const auto is_here = [&](const PhysRange& range) { return known.are_certain(range); };
            if (belongs(device, region_or_card, is_region) || std::ranges::any_of(device.ranges, is_here)) {
                out_.devices.push_back(&device);
                // Also where it goes past its region, or the region shows no place.
                places_.assigned.insert(places_.assigned.end(), device.ranges.begin(), device.ranges.end());
                if (device.mode != DaxMode::unbound)
                    out_.occupants.push_back(occupant_of(topology_, device, {}));
                continue;
            }
            if (device.mode == DaxMode::unbound) continue;
            for (const PhysRange& range : device.ranges) {
                const CardPlaces::Shared* shared = known.find_shared(range);
                if (shared == nullptr) continue;
                out_.occupants.push_back(occupant_of(topology_, device, shared->candidates));
                break;
            }
        }
    }

    void add_blocks(const std::string& card) {
        const DrainableBlocks drainable(topology_);
        std::vector<Occupant> found;
        const auto visit = [&](const PhysRange& range, const std::vector<std::string>& candidates,
                               bool assigned) {
            for (const Block& block : drainable.others(overlapping_blocks(topology_, range))) {
                const Origin origin = origin_of(topology_, range_of(topology_, block.index));
                // It is known who carries it: then the window says nothing.
                if (origin.leak != nullptr && !assigned) continue;
                append(found, topology_, block, origin.kind, origin.dax, candidates);
            }
        };
        for (const PhysRange& range : merged(places_.assigned)) visit(range, {}, true);
        for (const PhysRange& range : merged(places_.alone)) visit(range, {}, false);
        for (const CardPlaces::Shared& shared : places_.shared) visit(shared.range, shared.candidates, false);
        for (const Leak& leak : topology_.leaks) {
            if (card.empty() || !contains(leak.memdevs, card) || touches(places_.assigned, leak.range))
                continue;
            for (const Block& block : drainable.others(overlapping_blocks(topology_, leak.range))) {
                const Origin origin = origin_of(topology_, range_of(topology_, block.index));
                append(found, topology_, block, origin.kind, origin.dax, {});
            }
        }
        // A block that straddles two places is in both.
        std::ranges::stable_sort(found, {}, &Occupant::first);
        std::ranges::move(found, std::back_inserter(out_.occupants));
    }

    // `concerns` tells of entries that name a card.
    template <class Concerns>
    void add_unreadable(Concerns concerns) {
        for (const Unreadable& each : topology_.unreadable) {
            const bool here = each.where && (places_.are_certain(*each.where) ||
                                             places_.find_shared(*each.where) != nullptr);
            const bool anywhere = !each.where && each.memdev.empty();
            if (here || anywhere || (!each.memdev.empty() && concerns(each.memdev)))
                out_.occupants.push_back(occupant_of(each));
        }
    }

    void add(Occupant occupant) { out_.occupants.push_back(std::move(occupant)); }
    Occupancy take() { return std::move(out_); }

 private:
    [[nodiscard]] bool belongs(const DaxDevice& device, const std::string& name, bool is_region) const {
        if (device.id.region.empty()) return false;
        if (is_region) return device.id.region == name;
        const Region* region = find_region(topology_, device.id.region);
        return region != nullptr && contains(region->memdevs, name);
    }

    const Topology& topology_;
    CardPlaces places_;
    Occupancy out_;
};

Occupant of_region(Kind kind, const Region& region) {
    return {.kind = kind,
            .name = region.name,
            .first = {},
            .last = {},
            .blocks = 0,
            .online = 0,
            .bytes = region.size};
}

std::string joined(const std::vector<const Occupant*>& occupants) {
    std::vector<std::string> named;
    for (const Occupant* each : occupants) {
        if (named.size() == most_named) {
            named.push_back(fmt::format("{} more", occupants.size() - most_named));
            break;
        }
        named.push_back(describe(*each));
    }
    return fmt::format("{}", fmt::join(named, ", "));
}

std::string online_of(const Occupant& occupant) {
    return occupant.online == occupant.blocks
               ? "online"
               : fmt::format("{} of {} blocks online", occupant.online, occupant.blocks);
}

}  // namespace

bool Occupancy::is_empty() const {
    return std::ranges::all_of(occupants, [](const Occupant& each) {
        return each.kind == Kind::capacity || each.kind == Kind::locked;
    });
}

Occupancy occupancy(const Topology& topology, const Memdev& memdev) {
    Collector collector(topology, places_of(topology, memdev));
    collector.add_devices(memdev.name, false);
    collector.add_blocks(memdev.name);
    for (const Region& region : topology.regions) {
        if (!contains(region.memdevs, memdev.name)) continue;
        if (region.type == RegionType::pmem && dax_devices_on(topology, region).empty())
            collector.add(of_region(Kind::persistent, region));
        if (region.locked) collector.add(of_region(Kind::locked, region));
    }
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.memdev != memdev.name || !decoder.region.empty()) continue;
        collector.add({.kind = Kind::capacity,
                       .name = decoder.name,
                       .first = {},
                       .last = {},
                       .blocks = 0,
                       .online = 0,
                       .bytes = decoder.capacity});
    }
    collector.add_unreadable([&](const std::string& card) { return card == memdev.name; });
    if (!memdev.has_endpoint) {
        Occupant unknown{.kind = Kind::unreadable,
                         .name = memdev.name,
                         .first = {},
                         .last = {},
                         .blocks = 0,
                         .online = 0,
                         .bytes = {}};
        unknown.why = fmt::format(
            "the kernel has not set up {}: it has no endpoint port, so that nothing "
            "says which memory it backs",
            memdev.name);
        collector.add(std::move(unknown));
    }
    return collector.take();
}

Occupancy occupancy(const Topology& topology, const Region& region) {
    CardPlaces places;
    add_range(places.assigned, region.resource, region.size);
    Collector collector(topology, std::move(places));
    collector.add_devices(region.name, true);
    collector.add_blocks({});
    if (region.locked) collector.add(of_region(Kind::locked, region));
    collector.add_unreadable([&](const std::string& card) { return contains(region.memdevs, card); });
    return collector.take();
}

bool stands_on(const Topology& topology, const DaxDevice& device, const Memdev& memdev) {
    if (const Region* region = find_region(topology, device.id.region))
        return contains(region->memdevs, memdev.name);
    const CardPlaces places = places_of(topology, memdev);
    return std::ranges::any_of(device.ranges,
                               [&](const PhysRange& range) { return places.are_certain(range); });
}

std::optional<Error> not_to_be_emptied(const Occupancy& occupancy, const std::string& object,
                                       const std::string& operation) {
    const auto of = [&](Kind kind, bool certain) {
        std::vector<const Occupant*> out;
        for (const Occupant& each : occupancy.occupants) {
            if (each.kind == kind && each.candidates.empty() == certain) out.push_back(&each);
        }
        return out;
    };
    const auto no = [&](ErrorCode code, std::string reason, std::string advice) {
        return Error{.code = code,
                     .object = object,
                     .operation = operation,
                     .errnum = 0,
                     .reason = std::move(reason),
                     .advice = std::move(advice)};
    };
    if (const auto plain = of(Kind::plain_ram, true); !plain.empty()) {
        return no(
            ErrorCode::conflict,
            "its memory is plain System RAM: the firmware gave it to the kernel; it cannot be emptied: " +
                joined(plain),
            "have the firmware hand it over as specific-purpose memory, or switch the machine off first");
    }
    if (const auto leaked = of(Kind::leaked, true); !leaked.empty()) {
        return no(
            ErrorCode::reboot_required,
            "memory of it is leaked: the kernel goes on using it, and nobody can take it offline or give "
            "it back before a reboot: " +
                joined(leaked),
            "reboot; nothing else lets go of it");
    }
    if (const auto persistent = of(Kind::persistent, true); !persistent.empty()) {
        return no(ErrorCode::conflict,
                  fmt::format("{} is persistent memory without a dax device: who uses it is not known here",
                              persistent.front()->name),
                  "disable it with ndctl and cxl disable-region");
    }
    if (const auto unexplained = of(Kind::unexplained, true); !unexplained.empty()) {
        return no(
            ErrorCode::conflict,
            "no dax device has this memory, so that it cannot be emptied, and no firmware map tells whether "
            "it is plain System RAM or leaked: " +
                joined(unexplained),
            "reboot, or switch the machine off first");
    }
    for (const Kind kind : {Kind::dax, Kind::plain_ram, Kind::leaked, Kind::unexplained}) {
        const auto possible = of(kind, false);
        if (possible.empty()) continue;
        const auto& candidates = possible.front()->candidates;
        const std::string who =
            candidates.size() == 1
                ? fmt::format("not all memdevs of the region it lies in are known, {} may be one",
                              candidates.front())
                : fmt::format("the window it lies in leads to {}, and nothing says which of them carries it",
                              fmt::join(candidates, ", "));
        const bool is_lost = kind == Kind::leaked;
        return no(
            is_lost ? ErrorCode::reboot_required : ErrorCode::conflict,
            fmt::format("it may carry {}{}: {}", joined(possible), is_lost ? ", which is leaked" : "", who),
            kind == Kind::dax ? fmt::format("unbind {} first", possible.front()->name)
                              : std::string{"reboot, or switch the machine off first"});
    }
    if (const auto unreadable = of(Kind::unreadable, true); !unreadable.empty()) {
        std::vector<std::string> what;
        for (const Occupant* each : unreadable) {
            if (what.size() == most_named) break;
            what.push_back(each->why);
        }
        return no(ErrorCode::failed, fmt::format("cannot tell what stands on it: {}", fmt::join(what, ", ")),
                  "try again; nothing is taken away on a guess");
    }
    return std::nullopt;
}

std::vector<Occupant> leaked_memory(const Topology& topology) {
    std::vector<Occupant> out;
    std::size_t drainable_blocks = 0;
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.mode == DaxMode::system_ram) drainable_blocks += present_block_count(topology, device);
    }
    if (drainable_blocks == topology.blocks.size()) return out;  // as nearly always
    const DrainableBlocks drainable(topology);
    for (const Block& block : drainable.others(topology.blocks)) {
        const Origin origin = origin_of(topology, range_of(topology, block.index));
        const bool is_doubtful = origin.leak != nullptr && !origin.leak->certain;
        if (origin.kind == Kind::leaked && !is_doubtful)
            append(out, topology, block, origin.kind, origin.dax, {});
    }
    return out;
}

std::string size_words(Bytes bytes) {
    std::string out = format_size(bytes);
    const std::size_t unit = out.find_first_not_of("0123456789.");
    if (unit == std::string::npos) return out + " bytes";
    out.insert(unit, 1, ' ');
    return out;
}

std::string describe(const Occupant& occupant) {
    if (occupant.kind == Kind::unreadable) return occupant.why;
    if (occupant.kind == Kind::dax || occupant.blocks == 0) return occupant.name;
    const std::string on =
        occupant.node == no_node ? std::string{} : fmt::format(" on node {}", occupant.node.value());
    const std::string which =
        occupant.blocks == 1
            ? fmt::format("memory block {}", occupant.first.value())
            : fmt::format("memory blocks {}-{}", occupant.first.value(), occupant.last.value());
    return fmt::format("{}{}{} ({}, {})", size_words(occupant.bytes), on,
                       occupant.name.empty() ? "" : " of " + occupant.name, which, online_of(occupant));
}

}  // namespace cxlmemd
