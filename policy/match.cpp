#include "policy/match.h"

#include <algorithm>
#include <string>

#include "policy/glob.h"
#include "policy/host_match.h"
#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

template <class T>
bool listed(const std::vector<T>& entries, const T& fact) {
    return entries.empty() || std::ranges::find(entries, fact) != entries.end();
}

// True if no entry was written, or one fits the fact. What the kernel does not give never fits.
template <class Entry, class Fact>
bool any_fits(const std::vector<Entry>& entries, const std::optional<Fact>& fact) {
    return entries.empty() ||
           (fact && std::ranges::any_of(entries, [&](const Entry& entry) { return fits(entry, *fact); }));
}

// Every memdev must be listed: a rule for one card must not take a region that spans another too.
bool serials_hold(const Facts& facts, const Match& match) {
    const std::vector<std::uint64_t>& serials = facts.serials;
    return match.memdev_serial.empty() ||
           (!serials.empty() && std::ranges::all_of(serials, [&](std::uint64_t serial) {
               return listed(match.memdev_serial, serial);
           }));
}

bool hosts_hold(const Facts& facts, const Match& match) {
    return match.memdev_host.empty() ||
           (!facts.hosts.empty() && std::ranges::all_of(facts.hosts, [&](std::string_view host) {
               return any_fits(match.memdev_host, std::optional{host});
           }));
}

bool ranges_hold(const Facts& facts, const Match& match) {
    const std::vector<PhysRange>& ranges = facts.device->ranges;
    return match.phys_range.empty() ||
           (!ranges.empty() && std::ranges::all_of(ranges, [&](const PhysRange& range) {
               return std::ranges::any_of(match.phys_range,
                                          [&](const auto& inclusive) { return lies_in(range, inclusive); });
           }));
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
    switch (key) {
        case MatchKey::kind: return "kind";
        case MatchKey::memdev_serial: return "memdev_serial";
        case MatchKey::memdev_host: return "memdev_host";
        case MatchKey::region: return "region";
        case MatchKey::root_decoder: return "root_decoder";
        case MatchKey::dax: return "dax";
        case MatchKey::target_node: return "target_node";
        case MatchKey::size: return "size";
        case MatchKey::interleave_ways: return "interleave_ways";
        case MatchKey::qos_class: return "qos_class";
        case MatchKey::read_latency: return "read_latency";
        case MatchKey::write_latency: return "write_latency";
        case MatchKey::read_bandwidth: return "read_bandwidth";
        case MatchKey::write_bandwidth: return "write_bandwidth";
        case MatchKey::phys_range: return "phys_range";
        case MatchKey::host: return "host";
        case MatchKey::virtualization: return "virtualization";
        case MatchKey::kernel_version: return "kernel_version";
        case MatchKey::firmware_vendor: return "firmware_vendor";
        case MatchKey::product: return "product";
        case MatchKey::backed_by: return "backed_by";
    }
    return "kind";
}

namespace {

bool is_within(const DaxDevice& device, const PhysRange& range) {
    return range.size.value() != 0 && std::ranges::all_of(device.ranges, [&](const PhysRange& each) {
               return range.start <= each.start && each.end() <= range.end();
           });
}

void add_card(Facts& facts, const Memdev& memdev) {
    facts.serials.push_back(memdev.serial);
    facts.hosts.push_back(memdev.host);
    facts.memdevs.push_back(memdev.name);
}

// Of the whole region, or none: a rule for one card must not take what spans another too.
void add_cards(const Topology& topology, const Region& region, Facts& facts) {
    bool known = true;
    for (const std::string& name : region.memdevs) {
        const Memdev* memdev = find_memdev(topology, name);
        if (memdev != nullptr) facts.memdevs.push_back(memdev->name);
        known &= memdev != nullptr && !memdev->host.empty();
        if (known) facts.hosts.push_back(memdev->host);
    }
    if (!known) facts.hosts.clear();
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
        for (const std::string& name : region.memdevs) {
            const Memdev* memdev = find_memdev(topology, name);
            if (memdev == nullptr) continue;
            add_card(facts, *memdev);
        }
        return &region;
    }
    for (const Memdev& memdev : topology.memdevs) {
        if (std::ranges::find(root->memdevs, memdev.name) == root->memdevs.end()) continue;
        facts.candidates.push_back(memdev.name);
        if (stands_on(topology, device, memdev)) add_card(facts, memdev);
    }
    if (facts.serials.size() != 1) {
        facts.serials.clear();
        facts.hosts.clear();
        facts.memdevs.clear();
    }
    return nullptr;
}

std::optional<bool> is_backed_by_cxl(const Topology& topology, const DaxDevice& device) {
    if (device.kind == DaxKind::cxl_ram || device.kind == DaxKind::cxl_pmem) return true;
    const auto& roots = topology.root_decoders;
    if (std::ranges::any_of(roots, [&](const RootDecoder& root) { return is_within(device, root.window); }))
        return true;
    const auto hidden = [](const RootDecoder& root) { return root.window.size.value() == 0; };
    return std::ranges::any_of(roots, hidden) ? std::nullopt : std::optional{false};
}

}  // namespace

Facts facts_of(const Topology& topology, const DaxDevice& device) {
    Facts facts;
    facts.device = &device;
    facts.machine = &topology.host;
    facts.serials = device.id.serials;
    facts.backed_by_cxl = is_backed_by_cxl(topology, device);
    const Node* node = find_node(topology, device.target_node);
    const Region* region = nullptr;
    if (!device.id.region.empty()) {
        region = find_region(topology, device.id.region);
        // The device knows its region's name even where the region itself was not seen.
        facts.region = device.id.region;
        if (region != nullptr) add_cards(topology, *region, facts);
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
    const auto any_glob = [](const std::vector<Glob>& globs, const std::string& fact) {
        return globs.empty() || (!fact.empty() && std::ranges::any_of(globs, [&](const Glob& glob) {
                   return fits(glob, fact);
               }));
    };
    if (!any_glob(match.host, host.name) && !any_glob(match.host, host.machine_id)) return MatchKey::host;
    const auto any_word = [](const std::vector<std::string>& words, const std::string& fact, auto fits_word) {
        return words.empty() || (!fact.empty() && std::ranges::any_of(words, [&](const std::string& word) {
                   return fits_word(word, fact);
               }));
    };
    if (!any_word(match.virtualization, host.virtualization, fits_virtualization))
        return MatchKey::virtualization;
    if (!any_word(match.kernel_version, host.kernel_version, fits_kernel_version))
        return MatchKey::kernel_version;
    if (!any_glob(match.firmware_vendor, host.firmware_vendor)) return MatchKey::firmware_vendor;
    if (!any_glob(match.product, host.product)) return MatchKey::product;
    return std::nullopt;
}

std::optional<MatchKey> first_failing(const Facts& facts, const Match& match) {
    const DaxDevice& device = *facts.device;
    if (!listed(match.kind, device.kind)) return MatchKey::kind;
    if (!serials_hold(facts, match)) return MatchKey::memdev_serial;
    if (!hosts_hold(facts, match)) return MatchKey::memdev_host;
    if (!any_fits(match.region, facts.region)) return MatchKey::region;
    if (!any_fits(match.root_decoder, facts.root_decoder)) return MatchKey::root_decoder;
    if (!any_fits(match.dax, std::optional<std::string_view>{device.id.name})) return MatchKey::dax;
    if (!listed(match.target_node, device.target_node)) return MatchKey::target_node;
    if (!any_fits(match.size, std::optional{device.size.value()})) return MatchKey::size;
    if (!any_fits(match.interleave_ways, facts.interleave_ways)) return MatchKey::interleave_ways;
    if (!match.qos_class.empty() && (!facts.qos_class || !listed(match.qos_class, *facts.qos_class))) {
        return MatchKey::qos_class;
    }
    if (!any_fits(match.read_latency, facts.read_latency)) return MatchKey::read_latency;
    if (!any_fits(match.write_latency, facts.write_latency)) return MatchKey::write_latency;
    if (!any_fits(match.read_bandwidth, facts.read_bandwidth)) return MatchKey::read_bandwidth;
    if (!any_fits(match.write_bandwidth, facts.write_bandwidth)) return MatchKey::write_bandwidth;
    if (!ranges_hold(facts, match)) return MatchKey::phys_range;
    if (const auto key = first_failing_of_host(*facts.machine, match)) return key;
    if (match.backed_by_cxl && facts.backed_by_cxl != true) return MatchKey::backed_by;
    return std::nullopt;
}

}  // namespace cxlmemd
