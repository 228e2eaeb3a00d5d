#include "policy/match.h"

#include <algorithm>
#include <string>

#include "policy/glob.h"

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
    const std::vector<std::uint64_t>& serials = facts.device->id.serials;
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
    }
    return "kind";
}

Facts facts_of(const Topology& topology, const DaxDevice& device) {
    Facts facts;
    facts.device = &device;
    const Node* node = find_node(topology, device.target_node);
    const Region* region = device.id.region.empty() ? nullptr : find_region(topology, device.id.region);
    // The device knows its region's name even where the region itself was not seen.
    if (!device.id.region.empty()) facts.region = device.id.region;
    if (region != nullptr) {
        if (!region->root_decoder.empty()) facts.root_decoder = region->root_decoder;
        facts.interleave_ways = region->interleave_ways;
        facts.qos_class = region->qos_class;
        for (const std::string& name : region->memdevs) {
            const Memdev* memdev = find_memdev(topology, name);
            if (memdev == nullptr || memdev->host.empty()) {
                facts.hosts.clear();
                break;
            }
            facts.hosts.push_back(memdev->host);
        }
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
    return std::nullopt;
}

}  // namespace cxlmemd
