// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/hardware_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "policy/occupancy.h"
#include "policy/policy.h"
#include "policy/root_decoders.h"

namespace cxlmemd {

namespace {

using Kind = Occupant::Kind;

bool has(const Occupancy& occupancy, Kind kind) {
    return std::ranges::any_of(occupancy.occupants, [&](const Occupant& each) { return each.kind == kind; });
}

std::string verdict_of(const Occupancy& occupancy) {
    if (occupancy.is_empty()) return "unused";
    const bool only_unknown = std::ranges::all_of(occupancy.occupants, [](const Occupant& each) {
        return each.kind == Kind::unreadable || each.kind == Kind::capacity || each.kind == Kind::locked ||
               !each.candidates.empty();
    });
    return only_unknown ? "unknown" : "in-use";
}

std::string line_of(const Occupant& occupant) {
    std::string out;
    switch (occupant.kind) {
        case Kind::dax:
            out = fmt::format("{}: a dax device of {}", occupant.name, size_words(occupant.bytes));
            if (occupant.blocks != 0)
                out += fmt::format(", {} of {} memory blocks online", occupant.online, occupant.blocks);
            break;
        case Kind::plain_ram: out = "plain System RAM: " + describe(occupant); break;
        case Kind::leaked: out = "leaked: " + describe(occupant); break;
        case Kind::unexplained:
            out = "plain System RAM or leaked, there is no firmware map to tell: " + describe(occupant);
            break;
        case Kind::persistent: out = occupant.name + ": persistent memory without a dax device"; break;
        case Kind::unreadable: out = "not known: " + occupant.why; break;
        case Kind::capacity:
            out = fmt::format("{}: holds {} for no region", occupant.name, size_words(occupant.bytes));
            break;
        case Kind::locked: out = occupant.name + ": the firmware has locked its decoders"; break;
    }
    if (!occupant.candidates.empty())
        out += fmt::format(" (on one of {})", fmt::join(occupant.candidates, ", "));
    return out;
}

std::vector<std::string> lines_of(const Occupancy& occupancy) {
    std::vector<std::string> out;
    out.reserve(occupancy.occupants.size());
    for (const Occupant& each : occupancy.occupants) out.push_back(line_of(each));
    return out;
}

const Occupant* first_of(const Occupancy& occupancy, Kind kind) {
    const auto it = std::ranges::find(occupancy.occupants, kind, &Occupant::kind);
    return it == occupancy.occupants.end() ? nullptr : &*it;
}

// A key of a [[region]] table that names this card and no other.
std::string key_of(const Topology& topology, const Memdev& memdev) {
    const auto same =
        std::ranges::count_if(topology.memdevs, [&](const Memdev& m) { return m.serial == memdev.serial; });
    if (memdev.serial == 0 || same > 1) return fmt::format("memdev_host = \"{}\"", memdev.host);
    return fmt::format("memdev_serial = \"{:#x}\"", memdev.serial);
}

Bytes free_of(const Topology& topology, const Memdev& memdev, RegionType type) {
    Bytes left = type == RegionType::ram ? memdev.ram_size : memdev.pmem_size;
    for (const Region& region : topology.regions) {
        if (region.type != type || std::ranges::find(region.memdevs, memdev.name) == region.memdevs.end())
            continue;
        left = left - std::min(left, Bytes{region.size.value() / std::max(region.interleave_ways, 1U)});
    }
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.memdev == memdev.name && decoder.region.empty())
            left = left - std::min(left, decoder.capacity);
    }
    return left;
}

// What a [[region]] table of its own would make of the card's free memory.
std::string region_advice(const Topology& topology, const Memdev& memdev, RegionType type, Bytes free) {
    const bool reached = std::ranges::any_of(topology.root_decoders, [&](const RootDecoder& root) {
        return std::ranges::find(root.memdevs, memdev.name) != root.memdevs.end();
    });
    if (!reached) {
        return topology.root_decoders.empty()
                   ? "the machine has no CXL window: the firmware describes none (CEDT, CFMWS)"
                   : "no CXL window leads to the slot that it is in: try another slot, or the firmware's "
                     "settings";
    }
    RegionWish wish;
    wish.type = type;
    RegionSetup setup;
    setup.type = type;
    setup.members.push_back({.memdev = memdev.name, .generation = memdev.generation});
    const RootChoice choice = choose_root_decoder(topology, wish, setup);
    if (choice.root == nullptr) return "no region can be made of it: " + choice.why_none;
    std::string out = fmt::format("a [[region]] table with {}{} makes one", key_of(topology, memdev),
                                  type == RegionType::pmem ? " and type = \"pmem\"" : "");
    if (choice.range.size < free) {
        return out + fmt::format(", of {}: no more than that fits into {}", size_words(choice.range.size),
                                 choice.root->name);
    }
    return out + fmt::format("; {} fit into {}", size_words(free), choice.root->name);
}

constexpr const char* plain_ram_advice =
    "to have it managed, set the firmware to hand it over as specific-purpose memory";

bool is_made_of_dax(const Topology& topology, const Region& region) {
    return !occupancy(topology, region).devices.empty();
}

}  // namespace

namespace {

std::string why_no_memory(const Topology& topology, const Memdev& memdev) {
    const Occupancy on_it = occupancy(topology, memdev);
    if (const Occupant* plain = first_of(on_it, Kind::plain_ram)) {
        const std::string node =
            plain->node == no_node ? std::string{} : fmt::format(" on node {}", plain->node.value());
        return plain->candidates.empty() ? fmt::format("plain System RAM{}", node)
                                         : fmt::format("its window has plain System RAM{}", node);
    }
    if (has(on_it, Kind::leaked)) return "memory of it is leaked until a reboot";
    if (has(on_it, Kind::unexplained)) return "memory that no dax device has";
    if (has(on_it, Kind::unreadable)) return "cannot be told: the kernel did not say";
    for (const Region& region : topology.regions) {
        if (std::ranges::find(region.memdevs, memdev.name) == region.memdevs.end()) continue;
        if (!is_made_of_dax(topology, region)) return region.name + " has no dax device";
    }
    if (!on_it.devices.empty()) return {};
    const bool has_region = std::ranges::any_of(topology.regions, [&](const Region& region) {
        return std::ranges::find(region.memdevs, memdev.name) != region.memdevs.end();
    });
    const Bytes all = memdev.ram_size + memdev.pmem_size;
    if (has_region || all.value() == 0) return {};
    return size_words(all) + ", no region";
}

// Each block that exists is drainable, and nothing is unknown: then a card whose regions all have a dax
// device of their own has nothing else on it that is worth a word.
bool nothing_is_amiss(const Topology& topology) {
    if (!topology.unreadable.empty() || !topology.leaks.empty()) return false;
    std::size_t drainable = 0;
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.mode == DaxMode::system_ram) drainable += present_block_count(topology, device);
    }
    return drainable == topology.blocks.size();
}

}  // namespace

std::vector<std::string> why_no_memory(const Topology& topology) {
    std::unordered_set<std::string_view> with_device;  // regions
    std::unordered_set<std::string_view> well;         // memdevs with such a region
    std::unordered_set<std::string_view> others;       // memdevs with another one
    if (nothing_is_amiss(topology)) {
        for (const DaxDevice& device : topology.dax_devices) with_device.insert(device.id.region);
        for (const Region& region : topology.regions) {
            auto& which = with_device.contains(region.name) && region.members_known ? well : others;
            which.insert(region.memdevs.begin(), region.memdevs.end());
        }
    }
    std::vector<std::string> out;
    out.reserve(topology.memdevs.size());
    for (const Memdev& memdev : topology.memdevs) {
        const bool is_well =
            memdev.has_endpoint && well.contains(memdev.name) && !others.contains(memdev.name);
        out.push_back(is_well ? std::string{} : why_no_memory(topology, memdev));
    }
    return out;
}

HardwareWords explain_hardware(const Topology& topology, const Memdev& memdev) {
    const Occupancy on_it = occupancy(topology, memdev);
    HardwareWords out{.verdict = verdict_of(on_it), .reason = {}, .obstacles = lines_of(on_it)};
    std::vector<std::string> reasons;
    if (const Occupant* plain = first_of(on_it, Kind::plain_ram)) {
        reasons.push_back(fmt::format("{} plain System RAM: the firmware gave it to the kernel, {}; {}",
                                      plain->candidates.empty() ? "its memory is" : "memory in its window is",
                                      describe(*plain), plain_ram_advice));
    }
    if (const Occupant* leaked = first_of(on_it, Kind::leaked)) {
        reasons.push_back("memory of it is leaked, and comes back with a reboot: " + describe(*leaked));
    }
    if (const Occupant* unexplained = first_of(on_it, Kind::unexplained)) {
        reasons.push_back("no dax device has this memory of it: " + describe(*unexplained));
    }
    if (const Occupant* unread = first_of(on_it, Kind::unreadable))
        reasons.push_back("cannot tell: " + unread->why);
    for (const Region& region : topology.regions) {
        if (std::ranges::find(region.memdevs, memdev.name) == region.memdevs.end()) continue;
        if (!is_made_of_dax(topology, region)) reasons.push_back(region.name + ", on it, has no dax device");
    }
    if (!on_it.devices.empty()) {
        std::vector<std::string> names;
        for (const DaxDevice* device : on_it.devices) names.push_back(device->id.name);
        reasons.push_back(fmt::format("its memory is {}", fmt::join(names, ", ")));
    }
    if (!has(on_it, Kind::plain_ram)) {
        for (const RegionType type : {RegionType::ram, RegionType::pmem}) {
            const Bytes free = free_of(topology, memdev, type);
            if (free.value() == 0) continue;
            const std::string memory = type == RegionType::pmem ? " of persistent memory" : "";
            reasons.push_back(fmt::format("{}{}, no region; {}", size_words(free), memory,
                                          region_advice(topology, memdev, type, free)));
        }
    }
    if ((memdev.ram_size + memdev.pmem_size).value() == 0 && reasons.empty())
        reasons.emplace_back("it reports no capacity");
    out.reason = fmt::format("{}", fmt::join(reasons, "; "));
    return out;
}

std::string disabled_words(const Region& region) {
    const std::string_view remove =
        region.type == RegionType::pmem ? "cxl destroy-region" : "cxlmemctl remove";
    return fmt::format(
        "it has no dax device, as no driver has it: a card of it went, its removal or its creation was cut "
        "short (by "
        "this daemon or another process), or the module cxl_region is not loaded; {} {} removes it, cxl "
        "enable-region {} has it back",
        remove, region.name, region.name);
}

HardwareWords explain_hardware(const Topology& topology, const Region& region) {
    const Occupancy on_it = occupancy(topology, region);
    HardwareWords out{.verdict = verdict_of(on_it), .reason = {}, .obstacles = lines_of(on_it)};
    if (const auto stays = not_to_be_emptied(on_it, region.name, "remove")) {
        out.reason = stays->reason + (stays->advice.empty() ? "" : "; " + stays->advice);
    } else if (region.disabled) {
        out.reason = disabled_words(region);
    } else if (!on_it.devices.empty()) {
        std::vector<std::string> names;
        for (const DaxDevice* device : on_it.devices) names.push_back(device->id.name);
        out.reason = fmt::format("its memory is {}", fmt::join(names, ", "));
    } else if (region.size.value() == 0) {
        out.reason = "it is not set up: no address space has been given to it";
    } else if (region.type == RegionType::pmem) {
        out.reason = "persistent memory without a dax device: ndctl create-namespace --mode=devdax makes one";
    } else {
        out.reason =
            "it has no dax device: its driver (cxl_region) or that of its dax region (dax_cxl) is not bound; "
            "load "
            "the modules cxl_region and dax_cxl, or see the kernel log";
    }
    if (!region.destroyed_first.empty())
        out.obstacles.push_back(
            fmt::format("to be destroyed before it: {}", fmt::join(region.destroyed_first, ", ")));
    return out;
}

HardwareWords explain_hardware(const Topology& topology, const RootDecoder& root) {
    HardwareWords out{.verdict = "unused", .reason = {}, .obstacles = {}};
    Bytes free;
    Bytes largest;
    for (const PhysRange& gap : free_in(topology, root)) {
        free += gap.size;
        largest = std::max(largest, gap.size);
    }
    for (const Region& region : topology.regions) {
        if (region.root_decoder != root.name) continue;
        out.verdict = "in-use";
        out.obstacles.push_back(fmt::format("{}: {}", region.name, size_words(region.size)));
    }
    for (const DaxDevice& device : topology.dax_devices) {
        const bool lies_in_it = std::ranges::any_of(
            device.ranges, [&](const PhysRange& range) { return overlap(range, root.window); });
        if (!device.id.region.empty() || !lies_in_it) continue;
        out.verdict = "in-use";
        out.obstacles.push_back(fmt::format("{}: {} ({}), no region", device.id.name, size_words(device.size),
                                            to_string(device.kind)));
    }
    for (const Unreadable& each : topology.unreadable) {
        const bool here = each.where ? overlap(*each.where, root.window) : each.memdev.empty();
        if (here) out.obstacles.push_back("not known: " + describe(each));
    }
    const std::string leads = root.memdevs.empty()
                                  ? std::string{"no card is behind it"}
                                  : fmt::format("it leads to {}", fmt::join(root.memdevs, ", "));
    if (root.window.size.value() == 0) {
        out.verdict = "unknown";
        out.reason = "the kernel does not say where its window lies; " + leads;
    } else if (free.value() == 0) {
        out.reason = fmt::format("its window of {} has no room for another region; {}",
                                 size_words(root.window.size), leads);
    } else {
        out.reason = fmt::format("{} of its window of {} are free, {} in one piece; {}", size_words(free),
                                 size_words(root.window.size), size_words(largest), leads);
    }
    return out;
}

HardwareWords explain_hardware(const Topology& topology, const Node& node) {
    HardwareWords out{.verdict = "unused", .reason = {}, .obstacles = {}};
    if ((node.bytes_kernel + node.bytes_movable).value() != 0) out.verdict = "in-use";
    std::vector<std::string> reasons;
    if (node.has_cpu) reasons.emplace_back("it has processors, and their memory");
    std::vector<std::string> devices;
    for (const DaxDevice& device : topology.dax_devices) {
        if (device.target_node == node.id) devices.push_back(device.id.name);
    }
    if (!devices.empty()) {
        reasons.push_back(fmt::format("memory of {} lands on it", fmt::join(devices, ", ")));
    }
    for (const Memdev& memdev : topology.memdevs) {
        for (const Occupant& each : occupancy(topology, memdev).occupants) {
            if (each.node != node.id || each.kind == Kind::dax) continue;
            out.obstacles.push_back(memdev.name + ": " + line_of(each));
        }
    }
    if (!out.obstacles.empty()) reasons.emplace_back("memory of cards is on it that no dax device has");
    if (reasons.empty())
        reasons.emplace_back("no card's memory and no processor is on it, as far as is known");
    if (node.tier) reasons.push_back(fmt::format("memory tier {}", *node.tier));
    out.reason = fmt::format("{}", fmt::join(reasons, "; "));
    return out;
}

}  // namespace cxlmemd
