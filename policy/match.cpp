// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/match.h"

#include <algorithm>
#include <functional>
#include <string>

#include "policy/glob.h"
#include "policy/match_keys.h"
#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

template <keys::Of of, class Fact>
bool entry_fits(const keys::ConditionKey<of, Fact>& row, const std::string& word, std::string_view fact) {
    return row.fits(word, fact);
}
template <keys::Of of, class Fact>
bool entry_fits(const keys::RangeKey<of, Fact>&, const std::pair<PhysAddr, PhysAddr>& entry,
                const PhysRange& fact) {
    return lies_in(fact, entry);
}
template <class E, keys::Of of, class FactOf>
bool entry_fits(const keys::ValueKey<E, of, FactOf>&, const E& entry, const E& fact) {
    return entry == fact;
}
template <class Row, class Entry, class Fact>
bool entry_fits(const Row&, const Entry& entry, const Fact& fact) {
    return fits(entry, fact);
}

template <class Fact, class Fits>
bool fact_fits(const std::optional<Fact>& fact, Fits fits) {
    return fact && fits(*fact);
}
template <class Fits>
bool fact_fits(const keys::Either& fact, Fits fits) {
    return (!fact.first.empty() && fits(fact.first)) || (!fact.second.empty() && fits(fact.second));
}
// Every card must be listed: a rule for one must not take a region that spans another too.
template <class Fact, class Fits>
bool fact_fits(const std::vector<Fact>& facts, Fits fits) {
    return !facts.empty() && std::ranges::all_of(facts, fits);
}

// True if no entry was written, or one fits the fact. What the kernel does not give never fits.
template <class Row>
bool holds(const Row& row, const Facts& facts, const Match& match) {
    const auto& entries = match.*row.entries;
    return entries.empty() || fact_fits(std::invoke(row.fact, facts), [&](const auto& fact) {
               return std::ranges::any_of(entries,
                                          [&](const auto& entry) { return entry_fits(row, entry, fact); });
           });
}

// The coordinate of the region, else of the node.
template <class T>
std::optional<std::uint64_t> coordinate(const Region* region, const Node* node,
                                        std::optional<T> AccessCoordinates::*which) {
    if (region != nullptr && region->access.*which) return (region->access.*which)->value();
    if (node != nullptr && node->access.*which) return (node->access.*which)->value();
    return std::nullopt;
}

}  // namespace

std::string_view to_string(MatchKey key) {
    return keys::names.at(static_cast<std::size_t>(key));
}

namespace {

bool is_within(const DaxDevice& device, const PhysRange& range) {
    return range.size.value() != 0 && std::ranges::all_of(device.ranges, [&](const PhysRange& each) {
               return range.start <= each.start && each.end() <= range.end();
           });
}

using Cards = std::vector<const Memdev*>;

// Of the whole region, or none: a rule for one card must not take what spans another too.
Cards cards_of(const Topology& topology, const Region& region) {
    Cards out;
    for (const std::string& name : region.memdevs) {
        const Memdev* memdev = find_memdev(topology, name);
        if (memdev == nullptr) return {};
        out.push_back(memdev);
    }
    return out;
}

// What each card has, or nothing if one of them has none.
std::vector<std::string_view> of_all(const Cards& cards, std::string Memdev::*text) {
    std::vector<std::string_view> out;
    for (const Memdev* card : cards) {
        if ((card->*text).empty()) return {};
        out.emplace_back(card->*text);
    }
    return out;
}

void add_cards(Facts& facts, const Cards& cards) {
    facts.hosts = of_all(cards, &Memdev::host);
    facts.firmware = of_all(cards, &Memdev::firmware);
}

// Those that are there, be others missing or not.
void add_names(Facts& facts, const Topology& topology, const Region& region) {
    for (const std::string& name : region.memdevs) {
        if (const Memdev* memdev = find_memdev(topology, name)) facts.memdevs.push_back(memdev->name);
    }
}

void add_serials(Facts& facts, const Cards& cards) {
    for (const Memdev* card : cards) facts.serials.push_back(card->serial);
}

// The firmware set the memory up, and no driver says what is below it: the addresses tell.
const Region* place_hmem(const Topology& topology, const DaxDevice& device, Facts& facts) {
    const RootDecoder* root = nullptr;
    for (const RootDecoder& each : topology.root_decoders) {
        if (!is_within(device, each.window)) continue;
        if (root != nullptr) return nullptr;  // windows that overlap say nothing
        root = &each;
    }
    if (root == nullptr) return nullptr;
    facts.root_decoder = root->name;
    for (const Region& region : topology.regions) {
        if (!is_within(device, {region.resource, region.size})) continue;
        facts.region = region.name;
        if (!region.members_known) return &region;
        const Cards cards = cards_of(topology, region);
        add_names(facts, topology, region);
        add_serials(facts, cards);
        add_cards(facts, cards);
        return &region;
    }
    Cards certain;
    for (const Memdev& memdev : topology.memdevs) {
        if (std::ranges::find(root->memdevs, memdev.name) == root->memdevs.end()) continue;
        facts.candidates.push_back(memdev.name);
        if (stands_on(topology, device, memdev)) certain.push_back(&memdev);
    }
    if (certain.size() == 1) {
        facts.memdevs.push_back(certain.front()->name);
        add_serials(facts, certain);
        add_cards(facts, certain);
    }
    return nullptr;
}

std::optional<Backing> backing_of(const Topology& topology, const DaxDevice& device) {
    if (device.kind == DaxKind::cxl_ram || device.kind == DaxKind::cxl_pmem) return Backing::cxl;
    const auto& roots = topology.root_decoders;
    if (std::ranges::any_of(roots, [&](const RootDecoder& root) { return is_within(device, root.window); }))
        return Backing::cxl;
    const auto hidden = [](const RootDecoder& root) { return root.window.size.value() == 0; };
    return std::ranges::any_of(roots, hidden) ? std::nullopt : std::optional{Backing::none};
}

}  // namespace

Facts facts_of(const Topology& topology, const DaxDevice& device) {
    Facts facts;
    facts.device = &device;
    facts.machine = &topology.host;
    facts.serials = device.id.serials;
    facts.backed_by = backing_of(topology, device);
    const Node* node = find_node(topology, device.target_node);
    const Region* region = nullptr;
    if (!device.id.region.empty()) {
        region = find_region(topology, device.id.region);
        // The device knows its region's name even where the region itself was not seen.
        facts.region = device.id.region;
        if (region != nullptr) {
            add_names(facts, topology, *region);
            add_cards(facts, cards_of(topology, *region));
        }
    } else if (device.kind == DaxKind::hmem) {
        region = place_hmem(topology, device, facts);
    }
    if (region != nullptr) {
        if (!region->root_decoder.empty()) facts.root_decoder = region->root_decoder;
        facts.interleave_ways = region->interleave_ways;
        facts.qos_class = region->qos_class;
    }
    facts.read_latency = coordinate(region, node, &AccessCoordinates::read_latency);
    facts.write_latency = coordinate(region, node, &AccessCoordinates::write_latency);
    facts.read_bandwidth = coordinate(region, node, &AccessCoordinates::read_bandwidth);
    facts.write_bandwidth = coordinate(region, node, &AccessCoordinates::write_bandwidth);
    return facts;
}

Whereabouts whereabouts_of(const Topology& topology, const DaxDevice& device) {
    Facts facts;
    if (device.id.region.empty()) {
        if (device.kind != DaxKind::hmem) return {};
        const Region* region = place_hmem(topology, device, facts);
        if (region != nullptr && !region->root_decoder.empty()) facts.root_decoder = region->root_decoder;
    } else {
        facts.region = device.id.region;
        if (const Region* region = find_region(topology, device.id.region)) {
            add_names(facts, topology, *region);
            if (!region->root_decoder.empty()) facts.root_decoder = region->root_decoder;
        }
    }
    return {facts.region, facts.root_decoder, std::move(facts.memdevs)};
}

std::string region_of(const Topology& topology, const DaxDevice& device) {
    if (!device.id.region.empty()) return device.id.region;
    return std::string{whereabouts_of(topology, device).region.value_or("")};
}

bool fits(const Glob& glob, std::string_view text) {
    return glob_fits(glob.pattern, text);
}

bool fits(const Compare& compare, std::uint64_t fact) {
    switch (compare.op) {
        case Comparison::equal: return fact == compare.number;
        case Comparison::less: return fact < compare.number;
        case Comparison::less_equal: return fact <= compare.number;
        case Comparison::greater: return fact > compare.number;
        case Comparison::greater_equal: return fact >= compare.number;
    }
    return false;
}

bool lies_in(const PhysRange& range, const std::pair<PhysAddr, PhysAddr>& inclusive) {
    return range.start >= inclusive.first && range.end().value() - 1 <= inclusive.second.value();
}

std::optional<MatchKey> first_failing_of_host(const HostFacts& host, const Match& match) {
    Facts facts;
    facts.machine = &host;
    std::optional<MatchKey> out;
    keys::any([&]<class Row>(const Row& row, MatchKey key) {
        if constexpr (Row::of == keys::Of::machine) {
            if (!holds(row, facts, match)) out = key;
        }
        return out.has_value();
    });
    return out;
}

std::optional<MatchKey> first_failing(const Facts& facts, const Match& match) {
    std::optional<MatchKey> out;
    keys::any([&](const auto& row, MatchKey key) {
        if (!holds(row, facts, match)) out = key;
        return out.has_value();
    });
    return out;
}

}  // namespace cxlmemd
