// SPDX-License-Identifier: LGPL-2.1-or-later
// Prints this machine's topology as the linux backend sees it, one thing a line, `key=value`: for tests and
// for bug reports. Only reads. Ends with 1 if the scan fails.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <optional>

#include "backends/linux/linux_backend.h"

namespace {

using namespace cxlmemd;  // NOLINT(google-build-using-namespace): a program of one file

template <class Value>
std::string or_dash(const std::optional<Value>& value) {
    if (!value) return "-";
    if constexpr (requires { value->value(); }) {
        return fmt::format("{}", value->value());
    } else {
        return fmt::format("{}", *value);
    }
}

std::string text(const AccessCoordinates& access) {
    return fmt::format("read_latency={} write_latency={} read_bandwidth={} write_bandwidth={}",
                       or_dash(access.read_latency), or_dash(access.write_latency),
                       or_dash(access.read_bandwidth), or_dash(access.write_bandwidth));
}

std::string text(const PhysRange& range) {
    return fmt::format("{:#x}-{:#x}", range.start.value(), range.end().value() - 1);
}

void print(const Features& f) {
    fmt::print(
        "features dax_state={} weighted_interleave={} weighted_interleave_auto={} access_coordinates={} "
        "region_create={} memory_hotremove={} demotion={}\n",
        f.dax_state, f.weighted_interleave, f.weighted_interleave_auto, f.access_coordinates, f.region_create,
        f.memory_hotremove, f.demotion);
}

void print(const Memdev& m) {
    fmt::print("memdev {} serial={:#x} host={} numa_node={} ram={} pmem={} firmware={}\n", m.name, m.serial,
               m.host, m.numa_node.value(), m.ram_size.value(), m.pmem_size.value(), m.firmware);
}

void print(const RootDecoder& d) {
    fmt::print("root_decoder {} window={} ram={} pmem={} targets={} qos_class={}\n", d.name, text(d.window),
               d.volatile_capable, d.pmem_capable, fmt::join(d.targets, ","), or_dash(d.qos_class));
}

void print(const EndpointDecoder& d) {
    fmt::print("endpoint_decoder {} memdev={} capacity={} region={} mapped={} locked={}\n", d.name, d.memdev,
               d.capacity.value(), d.region.empty() ? "-" : d.region, d.mapped ? text(*d.mapped) : "-",
               d.locked);
}

void print(const Unreadable& u) {
    fmt::print("unreadable {} where={} memdev={}\n", describe(u), u.where ? text(*u.where) : "-",
               u.memdev.empty() ? "-" : u.memdev);
}

void print(const Region& r) {
    fmt::print(
        "region {} type={} resource={:#x} size={} ways={} granularity={} root={} memdevs={} qos_class={} "
        "{}\n",
        r.name, to_string(r.type), r.resource.value(), r.size.value(), r.interleave_ways,
        r.interleave_granularity, r.root_decoder, fmt::join(r.memdevs, ","), or_dash(r.qos_class),
        text(r.access));
}

void print(const DaxDevice& d) {
    std::string ranges;
    for (const PhysRange& range : d.ranges) ranges += (ranges.empty() ? "" : ",") + text(range);
    fmt::print(
        "dax {} kind={} region={} serials={} target_node={} numa_node={} size={} resource={:#x} align={} "
        "ranges={} mode={} generation={}\n",
        d.id.name, to_string(d.kind), d.id.region.empty() ? "-" : d.id.region, fmt::join(d.id.serials, ","),
        d.target_node.value(), d.numa_node.value(), d.size.value(), d.resource.value(), d.align.value(),
        ranges, to_string(d.mode), d.id.generation != 0 ? "known" : "0");
}

void print(const Block& b) {
    fmt::print("block {} state={} zone={} kernel_allowed={} movable_allowed={} node={}\n", b.index.value(),
               to_string(b.state), to_string(b.zone), b.kernel_allowed, b.movable_allowed, b.node.value());
}

void print(const Node& n) {
    fmt::print("node {} cpu={} kernel={} movable={} tier={} weight={} {}\n", n.id.value(), n.has_cpu,
               n.bytes_kernel.value(), n.bytes_movable.value(), or_dash(n.tier), or_dash(n.interleave_weight),
               text(n.access));
}

}  // namespace

int main() {
    LinuxBackend backend{LinuxPaths{}};
    const auto topology = backend.scan();
    if (!topology) {
        fmt::print(stderr, "dump_topology: {}\n", topology.error().text());
        return 1;
    }
    fmt::print("block_size {}\nauto_online {}\n", topology->block_size.value(),
               to_string(topology->auto_online));
    print(topology->features);
    const auto print_all = [](const auto& items) {
        for (const auto& item : items) print(item);
    };
    print_all(topology->memdevs);
    print_all(topology->root_decoders);
    print_all(topology->regions);
    print_all(topology->endpoint_decoders);
    print_all(topology->dax_devices);
    print_all(topology->blocks);
    print_all(topology->nodes);
    print_all(topology->unreadable);
    return 0;
}
