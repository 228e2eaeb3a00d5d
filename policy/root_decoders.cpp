// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/root_decoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tl/expected.hpp>
#include <vector>

namespace cxlmemd {

namespace {

constexpr std::uint64_t hdm_alignment = 256ULL << 20;  // drivers/cxl/core/region.c, alloc_hpa()

using Why = tl::unexpected<std::string>;

constexpr std::uint64_t rounded_up(std::uint64_t value) {
    return (value + hdm_alignment - 1) / hdm_alignment * hdm_alignment;
}

// What no region has of the member that has least left.
struct LeastFree {
    std::string memdev;
    Bytes free;
};

LeastFree least_free(const Topology& topology, const RegionSetup& setup) {
    LeastFree out;
    for (const auto& member : setup.members) {
        const Memdev* memdev = find_memdev(topology, member.memdev);
        if (memdev == nullptr) return {member.memdev, Bytes{}};
        Bytes left = setup.type == RegionType::ram ? memdev->ram_size : memdev->pmem_size;
        for (const Region& region : topology.regions) {
            if (region.type != setup.type ||
                std::ranges::find(region.memdevs, member.memdev) == region.memdevs.end())
                continue;
            left = left - std::min(left, Bytes{region.size.value() / std::max(region.interleave_ways, 1U)});
        }
        // What decoders hold for no region is left to the kernel, which says ENOSPC: no event tells when they
        // give it back, so that it has to be tried.
        if (out.memdev.empty() || left < out.free) out = {member.memdev, left};
    }
    return out;
}

// The parts of the window that none of these takes, from aligned starts.
std::vector<PhysRange> gaps(const PhysRange& window, std::vector<PhysRange> taken) {
    std::ranges::sort(taken, {}, &PhysRange::start);
    taken.push_back({window.end(), Bytes{1}});
    std::vector<PhysRange> out;
    std::uint64_t from = rounded_up(window.start.value());
    for (const PhysRange& range : taken) {
        if (range.start.value() > from) out.push_back({PhysAddr{from}, Bytes{range.start.value() - from}});
        from = std::max(from, rounded_up(range.end().value()));
    }
    return out;
}

}  // namespace

std::vector<PhysRange> free_in(const Topology& topology, const RootDecoder& root) {
    if (root.window.size.value() == 0) return {};
    std::vector<PhysRange> taken;
    const auto take = [&](const PhysRange& range) {
        if (range.size.value() != 0 && overlap(range, root.window)) taken.push_back(range);
    };
    for (const Region& region : topology.regions) take({region.resource, region.size});
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.region.empty() && decoder.mapped) take(*decoder.mapped);
    }
    for (const DaxDevice& device : topology.dax_devices) {
        for (const PhysRange& range : device.ranges) take(range);
    }
    for (const Unreadable& each : topology.unreadable) {
        if (each.where) take(*each.where);
    }
    std::vector<PhysRange> out = gaps(root.window, taken);
    // Memory blocks that nothing of all this has are few: only then is it asked again.
    const std::size_t before = taken.size();
    const Bytes size = topology.block_size;
    for (const PhysRange& gap : out) {
        for (const Block& block : overlapping_blocks(topology, gap))
            take({PhysAddr{block.index.value() * size.value()}, size});
    }
    if (taken.size() != before) out = gaps(root.window, std::move(taken));
    return out;
}

namespace {

// Where regions of this root decoder have landed; the kernel shows it in no other way.
std::set<NodeId> nodes_of(const Topology& topology, const RootDecoder& root) {
    std::set<NodeId> out;
    for (const DaxDevice& device : topology.dax_devices) {
        const Region* region = device.id.region.empty() ? nullptr : find_region(topology, device.id.region);
        if (region != nullptr && region->root_decoder == root.name) out.insert(device.target_node);
    }
    return out;
}

// As a [[region]] table lists it.
std::string name_in(const RegionWish& wish, const Memdev& memdev) {
    return wish.memdev_host.empty() ? fmt::format("\"{:#x}\"", memdev.serial)
                                    : fmt::format("\"{}\"", memdev.host);
}

// The members in an order that the root decoder takes: by turns one from below each of its targets, those of
// one target in the order of the table. Empty if there is none.
std::vector<const Memdev*> order_that_works(const std::vector<const Memdev*>& cards,
                                            const RootDecoder& root) {
    std::vector<const Memdev*> left = cards;
    std::vector<const Memdev*> out;
    while (!left.empty()) {
        const std::string& bridge = root.targets[out.size() % root.targets.size()];
        const auto next = std::ranges::find(left, bridge, &Memdev::bridge);
        if (next == left.end()) return {};
        out.push_back(*next);
        left.erase(next);
    }
    return out;
}

// The kernel takes position i only from below root target i modulo ways (drivers/cxl/core/region.c,
// cxl_region_attach_position; else ENXIO). Empty: the order is right, or what is below which is not known.
std::string wrong_order(const Topology& topology, const RegionWish& wish, const RegionSetup& setup,
                        const RootDecoder& root) {
    if (root.targets.size() != root.interleave_ways) return {};
    std::vector<const Memdev*> cards;
    for (const auto& member : setup.members) {
        const Memdev* memdev = find_memdev(topology, member.memdev);
        if (memdev == nullptr || memdev->bridge.empty()) return {};
        cards.push_back(memdev);
    }
    std::size_t wrong = 0;
    while (wrong < cards.size() && cards[wrong]->bridge == root.targets[wrong % root.targets.size()]) ++wrong;
    if (wrong == cards.size()) return {};
    std::string out =
        fmt::format("position {} of {} has to be below {}, and {} is below {}", wrong, root.name,
                    root.targets[wrong % root.targets.size()], cards[wrong]->name, cards[wrong]->bridge);
    const auto order = order_that_works(cards, root);
    if (order.empty()) {
        return out + fmt::format("; {} takes as many cards from below each of its host bridges, by turns",
                                 root.name);
    }
    out += "; an order that works: ";
    for (std::size_t i = 0; i < order.size(); ++i) out += (i == 0 ? "" : ", ") + name_in(wish, *order[i]);
    return out;
}

// Why this root decoder cannot hold such a region, whatever its size; empty if it can.
std::string incapable(const Topology& topology, const RegionWish& wish, const RegionSetup& setup,
                      const RootDecoder& root) {
    if (!(wish.type == RegionType::ram ? root.volatile_capable : root.pmem_capable))
        return fmt::format("{} takes no memory of type {}", root.name, to_string(wish.type));
    for (const auto& member : setup.members) {
        if (std::ranges::find(root.memdevs, member.memdev) == root.memdevs.end())
            return fmt::format("{} does not lead to {}", root.name, member.memdev);
    }
    if (root.interleave_ways > 1) {
        if (setup.members.size() % root.interleave_ways != 0) {
            return fmt::format("{} interleaves over {} host bridges, which {} memdevs do not divide into",
                               root.name, root.interleave_ways, setup.members.size());
        }
        if (wish.interleave_granularity && root.interleave_granularity != *wish.interleave_granularity) {
            return fmt::format("{} interleaves with a granularity of {}, not {}", root.name,
                               root.interleave_granularity, *wish.interleave_granularity);
        }
        if (std::string why = wrong_order(topology, wish, setup, root); !why.empty()) return why;
    }
    const auto nodes = nodes_of(topology, root);
    if (wish.node && !nodes.empty() && !nodes.contains(*wish.node))
        return fmt::format("memory of {} is on node {}", root.name, nodes.begin()->value());
    return {};
}

tl::expected<PhysRange, std::string> place(const Topology& topology, const RegionWish& wish,
                                           const RegionSetup& setup, const RootDecoder& root) {
    const Bytes unit{hdm_alignment * setup.members.size()};
    const LeastFree least = least_free(topology, setup);
    const Bytes most{least.free.value() / hdm_alignment * unit.value()};
    if (most.value() == 0)
        return Why{fmt::format("{} has no memory of type {} free", least.memdev, to_string(setup.type))};
    if (wish.size && *wish.size > most) {
        return Why{fmt::format("{} has only {} free, where {} would take {}", least.memdev,
                               format_size(least.free), format_size(*wish.size),
                               format_size(Bytes{wish.size->value() / setup.members.size()}))};
    }
    const Bytes wanted = wish.size.value_or(most);
    PhysRange largest{PhysAddr{}, Bytes{}};
    for (const PhysRange& gap : free_in(topology, root)) {
        if (gap.size >= wanted) return PhysRange{gap.start, wanted};
        if (gap.size > largest.size) largest = gap;
    }
    const Bytes fits{largest.size.value() / unit.value() * unit.value()};
    if (!wish.size && fits.value() != 0) return PhysRange{largest.start, fits};
    return Why{fmt::format("{} has only {} left in one piece, not {}", root.name, format_size(largest.size),
                           format_size(wanted))};
}

}  // namespace

UnusedCapacity unused_capacity(const Topology& topology, const RegionSetup& setup, const RootDecoder& root,
                               Bytes size) {
    // Each card gives as much as the others; what one has above that cannot be used by this region at all.
    Bytes left;
    for (const auto& member : setup.members) {
        RegionSetup alone = setup;
        alone.members = {member};
        left += least_free(topology, alone).free;
    }
    left = left - std::min(left, size);
    const Bytes unit{hdm_alignment * setup.members.size()};
    if (left < unit) return {};
    Bytes largest;
    for (const PhysRange& gap : free_in(topology, root)) largest = std::max(largest, gap.size);
    const LeastFree least = least_free(topology, setup);
    const Bytes of_least = least.free - std::min(least.free, Bytes{size.value() / setup.members.size()});
    if (of_least.value() < hdm_alignment) {
        return {left, fmt::format("each card gives as much as {}, which has least", least.memdev)};
    }
    largest = largest - std::min(largest, size);
    return {left,
            fmt::format("{} has {} left in one piece beside it; the firmware sets the size of its window",
                        root.name, largest < unit ? "nothing" : format_size(largest))};
}

RootChoice choose_root_decoder(const Topology& topology, const RegionWish& wish, const RegionSetup& setup) {
    RootChoice out;
    const auto say = [&](const std::string& why) {
        // Two root decoders may have the same to say, of a card.
        if (out.why_none.find(why) == std::string::npos)
            out.why_none += (out.why_none.empty() ? "" : "; ") + why;
    };
    if (topology.root_decoders.empty()) say("the machine has no root decoder");
    for (const RootDecoder& root : topology.root_decoders) {
        if (!wish.root_decoder.empty() && root.name != wish.root_decoder) continue;
        if (const std::string why = incapable(topology, wish, setup, root); !why.empty()) {
            say(why);
            continue;
        }
        if (!topology.features.region_create && wish.type == RegionType::ram) {
            say("this kernel cannot create volatile regions");
            continue;
        }
        const auto range = place(topology, wish, setup, root);
        if (!range) {
            say(range.error());
            continue;
        }
        RootChoice chosen{.root = &root, .range = *range, .why_none = {}, .unused = {}};
        if (!wish.size) chosen.unused = unused_capacity(topology, setup, root, range->size);
        return chosen;
    }
    if (out.why_none.empty()) say(fmt::format("there is no root decoder {}", wish.root_decoder));
    return out;
}

}  // namespace cxlmemd
