// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/card_places.h"

#include <algorithm>
#include <utility>

namespace cxlmemd {

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

// A window or region of which the kernel shows a place. One without is not set up, or is unreadable and
// noted.
bool has_place(PhysAddr start, Bytes size) {
    return size.value() != 0 && start.value() + size.value() > start.value();
}

// What of `from` none of `holes` covers; holes ascending.
std::vector<PhysRange> without(const PhysRange& from, const std::vector<PhysRange>& holes) {
    std::vector<PhysRange> out;
    PhysAddr at = from.start;
    for (const PhysRange& hole : holes) {
        if (!overlap(hole, from)) continue;
        if (hole.start > at) out.push_back({at, Bytes{hole.start.value() - at.value()}});
        at = std::max(at, hole.end());
    }
    if (at < from.end()) out.push_back({at, Bytes{from.end().value() - at.value()}});
    return out;
}

// What of the card's capacity no region and no decoder accounts for. A card of which the size was not said
// has an unreadable entry of its own.
bool has_unaccounted_capacity(const Topology& topology, const std::string& name) {
    const Memdev* memdev = find_memdev(topology, name);
    if (memdev == nullptr) return false;
    std::uint64_t left = (memdev->ram_size + memdev->pmem_size).value();
    const auto take = [&](std::uint64_t bytes) { left -= std::min(left, bytes); };
    for (const Region& region : topology.regions) {
        if (contains(region.memdevs, name)) take(region.size.value() / std::max(region.interleave_ways, 1U));
    }
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.memdev == name && decoder.region.empty()) take(decoder.capacity.value());
    }
    return left != 0;
}

}  // namespace

bool touches(const std::vector<PhysRange>& ranges, const PhysRange& range) {
    return std::ranges::any_of(ranges, [&](const PhysRange& each) { return overlap(each, range); });
}

void add_range(std::vector<PhysRange>& out, PhysAddr start, Bytes size) {
    if (has_place(start, size)) out.push_back({start, size});
}

std::vector<PhysRange> merged(std::vector<PhysRange> ranges) {
    std::ranges::sort(ranges, {}, &PhysRange::start);
    std::vector<PhysRange> out;
    for (const PhysRange& range : ranges) {
        if (!out.empty() && range.start <= out.back().end()) {
            const PhysAddr end = std::max(out.back().end(), range.end());
            out.back().size = Bytes{end.value() - out.back().start.value()};
        } else {
            out.push_back(range);
        }
    }
    return out;
}

namespace {

// The parts of windows that regions, and decoders without a region, take.
std::vector<PhysRange> assigned_everywhere(const Topology& topology) {
    std::vector<PhysRange> out;
    for (const Region& region : topology.regions) add_range(out, region.resource, region.size);
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.region.empty() && decoder.mapped)
            add_range(out, decoder.mapped->start, decoder.mapped->size);
    }
    return merged(std::move(out));
}

}  // namespace

bool CardPlaces::are_certain(const PhysRange& range) const {
    return touches(assigned, range) || touches(alone, range);
}

const CardPlaces::Shared* CardPlaces::find_shared(const PhysRange& range) const {
    const auto it =
        std::ranges::find_if(shared, [&](const Shared& each) { return overlap(each.range, range); });
    return it == shared.end() ? nullptr : &*it;
}

CardPlaces places_of(const Topology& topology, const Memdev& memdev) {
    CardPlaces out;
    for (const Region& region : topology.regions) {
        if (!has_place(region.resource, region.size)) continue;
        const PhysRange range{region.resource, region.size};
        if (contains(region.memdevs, memdev.name)) {
            out.assigned.push_back(range);
        } else if (!region.members_known) {
            out.shared.push_back({range, {memdev.name}});
        }
    }
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.memdev == memdev.name && decoder.region.empty() && decoder.mapped)
            add_range(out.assigned, decoder.mapped->start, decoder.mapped->size);
    }
    if (!has_unaccounted_capacity(topology, memdev.name)) return out;
    const std::vector<PhysRange> taken = assigned_everywhere(topology);
    for (const RootDecoder& root : topology.root_decoders) {
        if (!has_place(root.window.start, root.window.size) || !contains(root.memdevs, memdev.name)) continue;
        std::vector<std::string> candidates;
        std::ranges::copy_if(root.memdevs, std::back_inserter(candidates), [&](const std::string& name) {
            return has_unaccounted_capacity(topology, name);
        });
        for (const PhysRange& rest : without(root.window, taken)) {
            if (candidates.size() <= 1) {
                out.alone.push_back(rest);
            } else {
                out.shared.push_back({rest, candidates});
            }
        }
    }
    return out;
}

}  // namespace cxlmemd
