#include "policy/region_wishes.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/root_decoders.h"

namespace cxlmemd {

namespace {

std::string serial_list(const std::vector<std::uint64_t>& serials) {
    std::string out;
    for (const std::uint64_t serial : serials) out += fmt::format("{}{:#x}", out.empty() ? "" : ", ", serial);
    return out;
}

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> serials) {
    std::ranges::sort(serials);
    return serials;
}

// In interleave order; nothing if a position is empty or its card unknown.
std::vector<std::uint64_t> serials_of(const Topology& topology, const Region& region) {
    std::vector<std::uint64_t> out;
    for (const std::string& name : region.memdevs) {
        const Memdev* memdev = find_memdev(topology, name);
        if (memdev == nullptr) return {};
        out.push_back(memdev->serial);
    }
    return out.size() == region.interleave_ways ? out : std::vector<std::uint64_t>{};
}

std::optional<NodeId> node_of(const Topology& topology, const Region& region) {
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.id.region == region.name) return device.target_node;
    }
    return std::nullopt;
}

// What is not as the table says, empty if all is.
std::string difference(const Topology& topology, const RegionWish& wish, const Region& region) {
    if (region.type != wish.type)
        return fmt::format("it is of type {}, not {}", to_string(region.type), to_string(wish.type));
    if (const auto serials = serials_of(topology, region); serials != wish.memdev_serial)
        return fmt::format("its memdevs are interleaved in the order {}", serial_list(serials));
    if (wish.size && region.size != *wish.size)
        return fmt::format("it has {}, not {}", format_size(region.size), format_size(*wish.size));
    // With one memdev it says nothing.
    if (region.interleave_ways > 1 && region.interleave_granularity != wish.interleave_granularity) {
        return fmt::format("its interleave_granularity is {}, not {}", region.interleave_granularity,
                           wish.interleave_granularity);
    }
    if (!wish.root_decoder.empty() && region.root_decoder != wish.root_decoder)
        return fmt::format("it is on {}, not {}", region.root_decoder, wish.root_decoder);
    const auto node = node_of(topology, region);
    if (wish.node && node && *node != *wish.node)
        return fmt::format("its memory is on node {}, not {}", node->value(), wish.node->value());
    return {};
}

class Decider final {
 public:
    Decider(const Topology& topology, const RemovedRegions& removed)
        : topology_(topology), removed_(removed) {}

    std::vector<RegionDecision> run(const std::vector<RegionWish>& wishes) {
        std::vector<RegionDecision> out(wishes.size());
        // A region that is just as a table says must not be claimed by another table on the same cards.
        for (const bool exactly : {true, false}) {
            for (std::size_t i = 0; i < wishes.size(); ++i) {
                if (out[i].region.empty()) claim(wishes[i], exactly, out[i]);
            }
        }
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            out[i].name = wishes[i].name;
            out[i].place = wishes[i].place;
            if (out[i].region.empty()) decide(wishes[i], out[i]);
        }
        return out;
    }

 private:
    void claim(const RegionWish& wish, bool exactly, RegionDecision& out) {
        const auto wanted = sorted(wish.memdev_serial);
        for (const Region& region : topology_.regions) {
            if (claimed_.contains(region.name) || sorted(serials_of(topology_, region)) != wanted) continue;
            const std::string wrong = difference(topology_, wish, region);
            if (exactly && !wrong.empty()) continue;
            claimed_.insert(region.name);
            out.region = region.name;
            out.verdict = wrong.empty() ? RegionVerdict::there : RegionVerdict::differs;
            out.reason = wrong.empty() ? fmt::format("{} is the region", region.name)
                                       : fmt::format("{} is on these memdevs, and {}; it is left as it is",
                                                     region.name, wrong);
            return;
        }
    }

    void decide(const RegionWish& wish, RegionDecision& out) {
        if (removed_.contains(sorted(wish.memdev_serial))) {
            out.verdict = RegionVerdict::removed;
            out.reason = "it was removed while its memdevs stayed; a reload makes it again";
            return;
        }
        RegionSetup setup{.type = wish.type,
                          .root_decoder = {},
                          .members = {},
                          .interleave_granularity = wish.interleave_granularity,
                          .size = {}};
        std::vector<std::uint64_t> missing;
        for (const std::uint64_t serial : wish.memdev_serial) {
            const auto memdev = std::ranges::find(topology_.memdevs, serial, &Memdev::serial);
            if (memdev == topology_.memdevs.end()) {
                missing.push_back(serial);
            } else {
                setup.members.push_back({memdev->name, memdev->generation});
            }
        }
        if (!missing.empty()) {
            out.reason =
                fmt::format("waits for {} {}: no memdev has {}", missing.size() == 1 ? "serial" : "serials",
                            serial_list(missing), missing.size() == 1 ? "it" : "them");
            return;
        }
        const RootChoice choice = choose_root_decoder(topology_, wish, setup);
        if (choice.root == nullptr) {
            out.reason = choice.why_none;
            return;
        }
        setup.root_decoder = choice.root->name;
        setup.size = choice.range.size;
        out.verdict = RegionVerdict::create;
        out.reason = fmt::format("no region is on {} {}: one of type {} with {} is made on {}",
                                 wish.memdev_serial.size() == 1 ? "serial" : "serials",
                                 serial_list(wish.memdev_serial), to_string(wish.type),
                                 format_size(setup.size), setup.root_decoder);
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
                    const std::set<std::uint64_t>& serials) {
    for (RegionDecision& decision : decisions) {
        if (decision.verdict != RegionVerdict::create) continue;
        for (const RegionSetup::Member& member : decision.setup->members) {
            const Memdev* memdev = find_memdev(topology, member.memdev);
            if (memdev == nullptr || !serials.contains(memdev->serial)) continue;
            decision.verdict = RegionVerdict::blocked;
            decision.reason =
                fmt::format("the card with serial {:#x} has been prepared for its removal", memdev->serial);
        }
        if (decision.verdict == RegionVerdict::blocked) decision.setup.reset();
    }
}

}  // namespace cxlmemd
