// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/differences.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <concepts>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

#include "backends/emulator/block_list.h"

namespace cxlmemd::emulator {

namespace {

std::string show(bool value) {
    return value ? "true" : "false";
}
std::string show(const std::string& value) {
    return "\"" + value + "\"";
}
template <std::integral Number>
std::string show(Number value) {
    return fmt::format("{}", value);
}
template <class Tag, class Rep>
std::string show(Strong<Tag, Rep> value) {
    return fmt::format("{}", value.value());
}
std::string show(PhysAddr value) {
    return fmt::format("{:#x}", value.value());
}
std::string show(const PhysRange& range) {
    return fmt::format("{:#x} with {} bytes", range.start.value(), range.size.value());
}
template <class Word>
requires std::is_enum_v<Word> std::string show(Word value) {
    return std::string{to_string(value)};
}
template <class T>
std::string show(const std::optional<T>& value) {
    return value ? show(*value) : "unknown";
}
template <class T>
std::string show(const std::vector<T>& values) {
    std::vector<std::string> shown;
    shown.reserve(values.size());
    for (const T& value : values) shown.push_back(show(value));
    return fmt::format("[{}]", fmt::join(shown, ", "));
}

class Comparison final {
 public:
    // One object or the machine as a whole, until the next call.
    void of(std::string object) { object_ = std::move(object); }

    template <class T>
    void field(std::string_view name, const T& original, const T& copy) {
        if (original == copy) return;
        lines_.push_back(
            fmt::format("{}: {} was {}, and is {} here", object_, name, show(original), show(copy)));
    }
    void line(std::string text) { lines_.push_back(fmt::format("{}: {}", object_, std::move(text))); }

    void access(const AccessCoordinates& original, const AccessCoordinates& copy) {
        field("read_latency", original.read_latency, copy.read_latency);
        field("write_latency", original.write_latency, copy.write_latency);
        field("read_bandwidth", original.read_bandwidth, copy.read_bandwidth);
        field("write_bandwidth", original.write_bandwidth, copy.write_bandwidth);
    }

    // Calls `same` for pairs of one name, and notes those that stand alone.
    template <class Item, class Name, class Same>
    void pairs(const std::vector<Item>& original, const std::vector<Item>& copy, Name name, Same same) {
        std::map<std::string, const Item*> copies;
        for (const Item& item : copy) copies.emplace(name(item), &item);
        for (const Item& item : original) {
            of(name(item));
            const auto other = copies.find(name(item));
            if (other == copies.end()) {
                line("cannot be described, and is missing here");
                continue;
            }
            same(item, *other->second);
            copies.erase(other);
        }
        for (const auto& [left, item] : copies) {
            of(left);
            line("is here, and was not there");
        }
    }

    [[nodiscard]] std::vector<std::string> take() { return std::move(lines_); }

 private:
    std::string object_;
    std::vector<std::string> lines_;
};

void compare_machine(Comparison& out, const Topology& original, const Topology& copy) {
    out.of("machine");
    out.field("block_size", original.block_size, copy.block_size);
    out.field("auto_online", original.auto_online, copy.auto_online);
    out.field("automatic interleave weights", original.interleave_auto, copy.interleave_auto);
    out.field("demotion", original.demotion_enabled, copy.demotion_enabled);
    const Features& had = original.features;
    const Features& has = copy.features;
    out.field("dax_state", had.dax_state, has.dax_state);
    out.field("weighted_interleave", had.weighted_interleave, has.weighted_interleave);
    out.field("weighted_interleave_auto", had.weighted_interleave_auto, has.weighted_interleave_auto);
    out.field("access_coordinates", had.access_coordinates, has.access_coordinates);
    out.field("region_create", had.region_create, has.region_create);
    out.field("memory_hotremove", had.memory_hotremove, has.memory_hotremove);
    out.field("demotion_enabled", had.demotion, has.demotion);
    out.field("famfs", had.famfs, has.famfs);
    out.field("host name", original.host.name, copy.host.name);
    out.field("machine_id", original.host.machine_id, copy.host.machine_id);
    out.field("virtualization", original.host.virtualization, copy.host.virtualization);
    out.field("kernel_version", original.host.kernel_version, copy.host.kernel_version);
    out.field("firmware_vendor", original.host.firmware_vendor, copy.host.firmware_vendor);
    out.field("product", original.host.product, copy.host.product);
    const auto& known = original.kernel_available;
    const auto& shown = copy.kernel_available;
    const bool near = known && shown && std::max(*known, *shown) - std::min(*known, *shown) < used_step;
    if (!near) out.field("memory that the kernel could still give", known, shown);
}

void compare_memdevs(Comparison& out, const Topology& original, const Topology& copy) {
    const auto same = [&](const Memdev& a, const Memdev& b) {
        out.field("serial", a.serial, b.serial);
        out.field("host", a.host, b.host);
        out.field("numa_node", a.numa_node, b.numa_node);
        out.field("ram_size", a.ram_size, b.ram_size);
        out.field("pmem_size", a.pmem_size, b.pmem_size);
        out.field("firmware", a.firmware, b.firmware);
        out.field("endpoint", a.has_endpoint, b.has_endpoint);
        out.field("host bridge", a.bridge, b.bridge);
    };
    out.pairs(
        original.memdevs, copy.memdevs, [](const Memdev& m) { return m.name; }, same);
}

void compare_root_decoders(Comparison& out, const Topology& original, const Topology& copy) {
    const auto same = [&](const RootDecoder& a, const RootDecoder& b) {
        out.field("window", a.window, b.window);
        out.field("volatile", a.volatile_capable, b.volatile_capable);
        out.field("pmem", a.pmem_capable, b.pmem_capable);
        out.field("qos_class", a.qos_class, b.qos_class);
        out.field("interleave_ways", a.interleave_ways, b.interleave_ways);
        out.field("interleave_granularity", a.interleave_granularity, b.interleave_granularity);
        out.field("memdevs", a.memdevs, b.memdevs);
        out.field("host bridges", a.targets, b.targets);
    };
    out.pairs(
        original.root_decoders, copy.root_decoders, [](const RootDecoder& d) { return d.name; }, same);
}

void compare_regions(Comparison& out, const Topology& original, const Topology& copy) {
    const auto same = [&](const Region& a, const Region& b) {
        out.field("type", a.type, b.type);
        out.field("start", a.resource, b.resource);
        out.field("size", a.size, b.size);
        out.field("interleave_ways", a.interleave_ways, b.interleave_ways);
        out.field("interleave_granularity", a.interleave_granularity, b.interleave_granularity);
        out.field("root_decoder", a.root_decoder, b.root_decoder);
        out.field("memdevs", a.memdevs, b.memdevs);
        out.field("qos_class", a.qos_class, b.qos_class);
        out.access(a.access, b.access);
        out.field("what must go before it", a.destroyed_first, b.destroyed_first);
        out.field("locked", a.locked, b.locked);
        out.field("disabled", a.disabled, b.disabled);
    };
    out.pairs(
        original.regions, copy.regions, [](const Region& r) { return r.name; }, same);
}

// Those of regions have names of their own on each machine.
void compare_decoders(Comparison& out, const Topology& original, const Topology& copy) {
    const auto loose = [](std::vector<EndpointDecoder> all) {
        std::erase_if(all, [](const EndpointDecoder& decoder) { return !decoder.region.empty(); });
        return all;
    };
    const auto same = [&](const EndpointDecoder& a, const EndpointDecoder& b) {
        out.field("memdev", a.memdev, b.memdev);
        out.field("capacity", a.capacity, b.capacity);
        out.field("where it shows up", a.mapped, b.mapped);
        out.field("locked", a.locked, b.locked);
    };
    const auto had = loose(original.endpoint_decoders);
    const auto has = loose(copy.endpoint_decoders);
    out.pairs(
        had, has, [](const EndpointDecoder& d) { return d.name; }, same);
}

// Of the firmware's map only what is a card's counts.
void compare_unreadable(Comparison& out, const Topology& original) {
    for (const Unreadable& each : original.unreadable) {
        out.of(each.what);
        out.line("could not be read, and is left out here");
    }
}

void compare_dax(Comparison& out, const Topology& original, const Topology& copy) {
    const auto same = [&](const DaxDevice& a, const DaxDevice& b) {
        out.field("region", a.id.region, b.id.region);
        out.field("serials below it", a.id.serials, b.id.serials);
        out.field("kind", a.kind, b.kind);
        out.field("target_node", a.target_node, b.target_node);
        out.field("numa_node", a.numa_node, b.numa_node);
        out.field("size", a.size, b.size);
        out.field("resource", a.resource, b.resource);
        out.field("align", a.align, b.align);
        out.field("ranges", a.ranges, b.ranges);
        out.field("mode", a.mode, b.mode);
        out.field("memmap_on_memory", a.memmap_on_memory, b.memmap_on_memory);
        out.field("nvdimm_uuid", a.nvdimm_uuid, b.nvdimm_uuid);
        out.field("state", a.hotplug_state, b.hotplug_state);
    };
    out.pairs(
        original.dax_devices, copy.dax_devices, [](const DaxDevice& d) { return d.id.name; }, same);
}

void compare_nodes(Comparison& out, const Topology& original, const Topology& copy) {
    const auto same = [&](const Node& a, const Node& b) {
        out.field("cpus", a.has_cpu, b.has_cpu);
        out.field("memory in kernel zones", a.bytes_kernel, b.bytes_kernel);
        out.field("movable memory", a.bytes_movable, b.bytes_movable);
        out.field("tier", a.tier, b.tier);
        out.access(a.access, b.access);
        out.field("interleave_weight", a.interleave_weight, b.interleave_weight);
    };
    const auto name = [](const Node& n) { return fmt::format("node{}", n.id.value()); };
    out.pairs(original.nodes, copy.nodes, name, same);
}

std::string show(const Block& block) {
    std::string zones;
    if (!block.kernel_allowed) zones = ", for the movable zone alone";
    if (!block.movable_allowed) zones = ", for a kernel zone alone";
    return fmt::format("{}{}{} on node {}", to_string(block.state),
                       block.zone == Zone::none ? "" : fmt::format(" ({})", to_string(block.zone)), zones,
                       block.node.value());
}

// Blocks of one difference in one line, however many they are.
void compare_blocks(Comparison& out, const Topology& original, const Topology& copy) {
    std::map<std::string, std::vector<BlockRun>> found;
    auto a = original.blocks.begin();
    auto b = copy.blocks.begin();
    while (a != original.blocks.end() || b != copy.blocks.end()) {
        const bool only_there = b == copy.blocks.end() || (a != original.blocks.end() && a->index < b->index);
        const bool only_here = !only_there && (a == original.blocks.end() || b->index < a->index);
        const std::string was = only_here ? "not there" : show(*a);
        const std::string is = only_there ? "not here" : show(*b) + " here";
        const BlockIndex index = only_here ? b->index : a->index;
        if (only_there || only_here || *a != *b) {
            found[fmt::format("was {}, and is {}", was, is)].push_back({index, 1, Zone::none});
        }
        if (!only_here) ++a;
        if (!only_there) ++b;
    }
    for (auto& [text, runs] : found) {
        out.of("memory blocks " + block_list(joined(std::move(runs)), Zone::none));
        out.line(text);
    }
}

void compare_competitors(Comparison& out, const Topology& original, const Topology& copy) {
    const auto same = [&](const Competitor& a, const Competitor& b) {
        out.field("what it is", a.what, b.what);
        out.field("zone", a.zone, b.zone);
        out.field("kind", a.kind, b.kind);
    };
    out.pairs(
        original.competitors, copy.competitors, [](const Competitor& c) { return c.where; }, same);
}

}  // namespace

std::vector<std::string> differences(const Topology& original, const Topology& copy) {
    Comparison out;
    compare_machine(out, original, copy);
    compare_memdevs(out, original, copy);
    compare_root_decoders(out, original, copy);
    compare_regions(out, original, copy);
    compare_decoders(out, original, copy);
    compare_dax(out, original, copy);
    compare_unreadable(out, original);
    compare_blocks(out, original, copy);
    compare_nodes(out, original, copy);
    compare_competitors(out, original, copy);
    return out.take();
}

}  // namespace cxlmemd::emulator
