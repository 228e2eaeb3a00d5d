// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/nodes.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

template <class Value>
std::optional<Value> read_known(const std::string& path) {
    const auto number = sysfs::read_number(path);
    if (!number || *number == 0 || *number > std::numeric_limits<typename Value::rep>::max())
        return std::nullopt;
    return Value{static_cast<typename Value::rep>(*number)};
}

std::optional<std::uint32_t> read_weight(const LinuxPaths& paths, NodeId node) {
    const auto weight = sysfs::read_number(paths.sys + "/kernel/mm/mempolicy/weighted_interleave/node" +
                                           std::to_string(node.value()));
    if (!weight || *weight == 0 || *weight > 255) return std::nullopt;
    return static_cast<std::uint32_t>(*weight);
}

}  // namespace

AccessCoordinates read_coordinates(const std::string& folder) {
    return {.read_latency = read_known<Nanoseconds>(folder + "/read_latency"),
            .write_latency = read_known<Nanoseconds>(folder + "/write_latency"),
            .read_bandwidth = read_known<MegabytesPerSecond>(folder + "/read_bandwidth"),
            .write_bandwidth = read_known<MegabytesPerSecond>(folder + "/write_bandwidth")};
}

std::map<NodeId, ZonePages> read_zones(const LinuxPaths& paths) {
    return parse_zoneinfo(sysfs::read(paths.proc + "/zoneinfo").value_or(""));
}

NodeScan read_nodes(const LinuxPaths& paths, const std::map<NodeId, ZonePages>& zones) {
    const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const auto with_cpu = sysfs::to_list(sysfs::read(paths.nodes() + "/has_cpu").value_or(""));

    NodeScan out;
    if (!zones.empty()) out.kernel_available = Bytes{};
    for (const auto& [id, zone] : zones) *out.kernel_available += Bytes{zone.kernel_available * page_size};
    for (const std::string& name : sysfs::names_in(paths.nodes())) {
        const auto number = sysfs::number_after(name, "node");
        if (!number || *number > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) continue;
        Node node;
        node.id = NodeId{static_cast<int>(*number)};
        node.has_cpu = std::ranges::find(with_cpu, node.id.value()) != with_cpu.end();
        if (const auto zone = zones.find(node.id); zone != zones.end()) {
            node.bytes_kernel = Bytes{zone->second.kernel * page_size};
            node.bytes_movable = Bytes{zone->second.movable * page_size};
        }
        // access0: the nearest initiators of any kind; access1 would be the nearest processors
        // (Documentation/admin-guide/mm/numaperf.rst).
        node.access = read_coordinates(paths.nodes() + "/" + name + "/access0/initiators");
        node.interleave_weight = read_weight(paths, node.id);
        out.nodes.push_back(node);
    }
    std::ranges::sort(out.nodes, {}, &Node::id);
    return out;
}

}  // namespace cxlmemd
