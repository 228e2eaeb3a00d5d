// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/region_wishes.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/root_decoders.h"

namespace cxlmemd {

namespace {

using Cards = std::vector<const Memdev*>;

template <class T, class Text>
std::string listed(const std::vector<T>& items, Text text) {
    std::string out;
    for (const T& item : items) out += (out.empty() ? "" : ", ") + text(item);
    return out;
}

std::string hex(std::uint64_t serial) {
    return fmt::format("{:#x}", serial);
}

// "serial 0x1", "serials 0x1, 0x2"; by their hosts, if the table does.
std::string names_of(const RegionWish& wish) {
    const char* plural = wish.ways() == 1 ? "" : "s";
    if (wish.memdev_host.empty()) return fmt::format("serial{} {}", plural, listed(wish.memdev_serial, hex));
    return fmt::format("host{} {}", plural, listed(wish.memdev_host, [](const std::string& h) { return h; }));
}

// The cards of a region in interleave order, as a table would list them.
std::string order_of(const Cards& cards, const RegionWish& wish) {
    return listed(
        cards, [&](const Memdev* card) { return wish.memdev_host.empty() ? hex(card->serial) : card->host; });
}

// In interleave order; nothing if a position is empty or its card unknown.
Cards cards_of(const Topology& topology, const Region& region) {
    Cards out;
    for (const std::string& name : region.memdevs) {
        const Memdev* memdev = find_memdev(topology, name);
        if (memdev == nullptr) return {};
        out.push_back(memdev);
    }
    return out.size() == region.interleave_ways ? out : Cards{};
}

// The cards that a table names, or why there are none.
struct NamedCards {
    Cards cards;
    std::string why_none;
    bool missing = false;
};

NamedCards find_cards(const Topology& topology, const RegionWish& wish) {
    NamedCards out;
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < wish.ways(); ++i) {
        Cards found;
        for (const Memdev& memdev : topology.memdevs) {
            const bool fits = (wish.memdev_serial.empty() || memdev.serial == wish.memdev_serial[i]) &&
                              (wish.memdev_host.empty() || memdev.host == wish.memdev_host[i]);
            if (fits) found.push_back(&memdev);
        }
        std::string name = wish.memdev_host.empty() ? hex(wish.memdev_serial[i]) : wish.memdev_host[i];
        if (!wish.memdev_host.empty() && !wish.memdev_serial.empty())
            name += fmt::format(" (serial {:#x})", wish.memdev_serial[i]);
        if (found.empty()) {
            missing.push_back(std::move(name));
        } else if (found.size() == 1) {
            out.cards.push_back(found.front());
        } else if (wish.memdev_host.empty()) {
            const auto hosts = listed(found, [](const Memdev* memdev) { return memdev->host; });
            return {{},
                    fmt::format("serial {} is on {} cards: {}: name them by memdev_host", name, found.size(),
                                hosts)};
        } else {
            const auto names = listed(found, [](const Memdev* memdev) { return memdev->name; });
            return {{}, fmt::format("host {} has {} memdevs: {}", name, found.size(), names)};
        }
    }
    if (missing.empty()) return out;
    const bool one = missing.size() == 1;
    const std::string_view noun = wish.memdev_host.empty() ? "serial" : "host";
    const auto list = listed(missing, [](const std::string& m) { return m; });
    return {
        {},
        fmt::format("waits for {}{} {}: no memdev has {}", noun, one ? "" : "s", list, one ? "it" : "them"),
        true};
}

bool same_cards(Cards a, Cards b) {
    std::ranges::sort(a);
    std::ranges::sort(b);
    return a == b;
}

std::vector<CardKey> keys_of(const Cards& cards) {
    std::vector<CardKey> out;
    for (const Memdev* card : cards) out.push_back(card_of(*card));
    std::ranges::sort(out);
    return out;
}

std::optional<NodeId> node_of(const Topology& topology, const Region& region) {
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.id.region == region.name) return device.target_node;
    }
    return std::nullopt;
}

// What is not as the table says, empty if all is.
std::string difference(const Topology& topology, const RegionWish& wish, const Cards& wanted,
                       const Region& region) {
    if (region.type != wish.type)
        return fmt::format("it is of type {}, not {}", to_string(region.type), to_string(wish.type));
    if (const Cards cards = cards_of(topology, region); cards != wanted)
        return fmt::format("its memdevs are interleaved in the order {}", order_of(cards, wish));
    if (wish.size && region.size != *wish.size)
        return fmt::format("it has {}, not {}", format_size(region.size), format_size(*wish.size));
    // With one memdev it says nothing.
    if (region.interleave_ways > 1 && wish.interleave_granularity &&
        region.interleave_granularity != *wish.interleave_granularity) {
        return fmt::format("its interleave_granularity is {}, not {}", region.interleave_granularity,
                           *wish.interleave_granularity);
    }
    if (!wish.root_decoder.empty() && region.root_decoder != wish.root_decoder)
        return fmt::format("it is on {}, not {}", region.root_decoder, wish.root_decoder);
    const auto node = node_of(topology, region);
    if (wish.node && node && *node != *wish.node)
        return fmt::format("its memory is on node {}, not {}", node->value(), wish.node->value());
    return {};
}

// "; 12GiB of the cards stay unused: ..."; nothing if all is used.
std::string unused_words(const UnusedCapacity& unused, const RegionSetup& setup) {
    if (unused.bytes.value() == 0) return {};
    return fmt::format("; {} of the {} stay unused: {}", format_size(unused.bytes),
                       setup.members.size() == 1 ? "card" : "cards", unused.why);
}

// The same of a region that is there, and was to be as large as can be.
std::string unused_beside(const Topology& topology, const RegionWish& wish, const Cards& cards,
                          const Region& region) {
    if (wish.size) return {};
    RegionSetup setup{.type = wish.type,
                      .root_decoder = region.root_decoder,
                      .members = {},
                      .interleave_granularity = region.interleave_granularity,
                      .size = region.size};
    for (const Memdev* card : cards) setup.members.push_back({card->name, card->generation});
    const RootDecoder* root = find_root_decoder(topology, region.root_decoder);
    return root == nullptr ? std::string{} : unused_words(unused_capacity(topology, setup, *root, {}), setup);
}

class Decider final {
 public:
    Decider(const Topology& topology, const RemovedRegions& removed)
        : topology_(topology), removed_(removed) {}

    std::vector<RegionDecision> run(const std::vector<RegionWish>& wishes) {
        std::vector<RegionDecision> out(wishes.size());
        std::vector<NamedCards> cards;
        for (const RegionWish& wish : wishes) cards.push_back(find_cards(topology_, wish));
        // A region that is just as a table says must not be claimed by another table on the same cards.
        for (const bool exactly : {true, false}) {
            for (std::size_t i = 0; i < wishes.size(); ++i) {
                if (out[i].region.empty()) claim(wishes[i], cards[i], exactly, out[i]);
            }
        }
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            out[i].name = wishes[i].name;
            out[i].place = wishes[i].place;
            if (out[i].region.empty()) decide(wishes[i], cards[i], out[i]);
        }
        return out;
    }

 private:
    void claim(const RegionWish& wish, const NamedCards& wanted, bool exactly, RegionDecision& out) {
        if (!wanted.why_none.empty()) return;
        for (const Region& region : topology_.regions) {
            if (claimed_.contains(region.name) || !same_cards(cards_of(topology_, region), wanted.cards))
                continue;
            const std::string wrong = difference(topology_, wish, wanted.cards, region);
            if (exactly && !wrong.empty()) continue;
            claimed_.insert(region.name);
            out.region = region.name;
            out.verdict = wrong.empty() ? RegionVerdict::there : RegionVerdict::differs;
            out.reason = wrong.empty() ? fmt::format("{} is the region", region.name) +
                                             unused_beside(topology_, wish, wanted.cards, region)
                                       : fmt::format("{} is on these memdevs, and {}; it is left as it is",
                                                     region.name, wrong);
            return;
        }
    }

    void decide(const RegionWish& wish, const NamedCards& wanted, RegionDecision& out) {
        if (!wanted.why_none.empty()) {
            out.reason = wanted.why_none;
            out.waits = wanted.missing;
            return;
        }
        if (removed_.contains(keys_of(wanted.cards))) {
            out.verdict = RegionVerdict::removed;
            out.reason = "it was removed while its memdevs stayed; a reload makes it again";
            return;
        }
        RegionSetup setup{.type = wish.type,
                          .root_decoder = {},
                          .members = {},
                          .interleave_granularity = wish.interleave_granularity.value_or(256),
                          .size = {}};
        for (const Memdev* card : wanted.cards) setup.members.push_back({card->name, card->generation});
        const RootChoice choice = choose_root_decoder(topology_, wish, setup);
        if (choice.root == nullptr) {
            out.reason = choice.why_none;
            return;
        }
        setup.root_decoder = choice.root->name;
        if (!wish.interleave_granularity && choice.root->interleave_ways > 1)
            setup.interleave_granularity = choice.root->interleave_granularity;
        setup.size = choice.range.size;
        out.verdict = RegionVerdict::create;
        out.reason = fmt::format("no region is on {}: one of type {} with {} is made on {}", names_of(wish),
                                 to_string(wish.type), format_size(setup.size), setup.root_decoder);
        out.reason += unused_words(choice.unused, setup);
        foresee(setup, choice.range);
        out.setup = std::move(setup);
    }

    void foresee(const RegionSetup& setup, const PhysRange& range) {
        Region region{.name = {},
                      .type = setup.type,
                      .resource = range.start,
                      .size = range.size,
                      .interleave_ways = static_cast<std::uint32_t>(setup.members.size()),
                      .interleave_granularity = setup.interleave_granularity,
                      .root_decoder = setup.root_decoder,
                      .memdevs = {},
                      .qos_class = {},
                      .access = {}};
        for (const auto& member : setup.members) region.memdevs.push_back(member.memdev);
        topology_.regions.push_back(std::move(region));
    }

    Topology topology_;  // with the regions that will have been made
    const RemovedRegions& removed_;
    std::set<std::string> claimed_;
};

}  // namespace

std::vector<RegionDecision> decide_regions(const Topology& topology, const Policy& policy,
                                           const RemovedRegions& removed) {
    if (policy.regions.empty()) return {};
    return Decider{topology, removed}.run(policy.regions);
}

void keep_off_cards(std::vector<RegionDecision>& decisions, const Topology& topology,
                    const std::map<CardKey, CardState>& cards) {
    for (RegionDecision& decision : decisions) {
        if (decision.verdict != RegionVerdict::create) continue;
        for (const RegionSetup::Member& member : decision.setup->members) {
            const Memdev* memdev = find_memdev(topology, member.memdev);
            const auto found = memdev == nullptr ? cards.end() : cards.find(card_of(*memdev));
            if (found == cards.end()) continue;
            decision.verdict = RegionVerdict::blocked;
            decision.reason = fmt::format(
                "{} ({}) is {}: no region is made on it before it has gone or is "
                "released",
                memdev->name, to_string(found->first), words_of(found->second));
        }
        if (decision.verdict == RegionVerdict::blocked) decision.setup.reset();
    }
}

}  // namespace cxlmemd
