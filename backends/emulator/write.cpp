// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/write.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "backends/emulator/block_list.h"
#include "backends/emulator/toml_text.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::size_t comment_width = 110;

std::string_view words_of(const TimeModel& model) {
    for (const std::string_view words : {"before-7.4", "7.4"}) {
        if (time_model_from(words) == model) return words;
    }
    return "none";
}

std::string_view word_of(Zone zone) {
    return zone == Zone::none ? "offline" : to_string(zone);
}

void write_access(TomlText& out, const AccessCoordinates& access, bool shown) {
    if (access == AccessCoordinates{} && !shown) return;
    std::vector<std::string> pairs;
    const auto add = [&](std::string_view key, const auto& value) {
        if (value) pairs.push_back(fmt::format("{} = {}", key, value->value()));
    };
    add("read_latency", access.read_latency);
    add("write_latency", access.write_latency);
    add("read_bandwidth", access.read_bandwidth);
    add("write_bandwidth", access.write_bandwidth);
    if (shown) pairs.emplace_back("shown = true");
    out.table("access", pairs);
}

void write_settings(TomlText& out, const MachineDescription& machine) {
    out.size("block_size", machine.block_size);
    out.text("auto_online", to_string(machine.auto_online));
    if (!machine.interleave_auto) out.truth("interleave_auto", false);
    if (machine.demotion_enabled) out.truth("demotion_enabled", true);
    if (!machine.firmware_map) out.truth("firmware_map", false);
    if (machine.kernel_zone_unmovable) out.truth("kernel_zone_unmovable", true);
    const Features& features = machine.features;
    out.section("[features]");
    out.truth("dax_state", features.dax_state);
    out.truth("weighted_interleave", features.weighted_interleave);
    out.truth("weighted_interleave_auto", features.weighted_interleave_auto);
    out.truth("access_coordinates", features.access_coordinates);
    out.truth("region_create", features.region_create);
    out.truth("memory_hotremove", features.memory_hotremove);
    out.truth("demotion", features.demotion);
    if (!machine.dynamic_regions.empty() || machine.live_extents) out.truth("dynamic_capacity", true);
    const std::string_view words = words_of(machine.time_model);
    if (words == "none" && machine.late_dax_usec == 0 && !features.famfs && !machine.live_extents) return;
    out.section("[kernel]");
    if (features.famfs) out.truth("famfs", true);
    if (machine.late_dax_usec != 0) out.text("late_dax", fmt::format("{}us", machine.late_dax_usec));
    if (words != "none") out.text("time_model", words);
    if (machine.live_extents) out.truth("live_extents", true);
}

void write_host(TomlText& out, const HostFacts& host) {
    if (host == HostFacts{}) return;
    out.section("[host]");
    const auto write = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) out.text(key, value);
    };
    write("name", host.name);
    write("machine_id", host.machine_id);
    write("virtualization", host.virtualization);
    write("kernel_version", host.kernel_version);
    write("firmware_vendor", host.firmware_vendor);
    write("product", host.product);
}

void write_node(TomlText& out, const NodeDescription& node) {
    out.section("[[node]]");
    out.number("id", node.id.value());
    if (node.has_cpu) out.truth("cpus", true);
    if (node.kernel_bytes.value() != 0) out.size("memory", node.kernel_bytes);
    if (node.kernel_bytes.value() != 0 || node.used_bytes.value() != 0) out.size("used", node.used_bytes);
    // What of it is a card's stands in [[memory]].
    if (!node.has_cpu && (node.kernel_bytes + node.movable_bytes).value() != 0) out.truth("of_card", false);
    if (node.movable_bytes.value() != 0) out.size("movable", node.movable_bytes);
    if (node.present) out.truth("present", true);
    write_access(out, node.access, node.access_shown);
    if (node.tier) out.number("tier", *node.tier);
    if (node.interleave_weight) out.number("interleave_weight", *node.interleave_weight);
}

void write_memdev(TomlText& out, const Memdev& memdev, const AccessCoordinates& access) {
    out.section("[[memdev]]");
    out.text("name", memdev.name);
    out.hex("serial", memdev.serial);
    out.text("host", memdev.host);
    if (memdev.numa_node != NodeId{0}) out.number("numa_node", memdev.numa_node.value());
    if (memdev.ram_size.value() != 0) out.size("ram_size", memdev.ram_size);
    if (memdev.pmem_size.value() != 0) out.size("pmem_size", memdev.pmem_size);
    if (!memdev.firmware.empty()) out.text("firmware", memdev.firmware);
    if (!memdev.has_endpoint) out.truth("endpoint", false);
    if (!memdev.bridge.empty()) out.text("bridge", memdev.bridge);
    write_access(out, access, false);
}

void write_root_decoder(TomlText& out, const RootDecoder& decoder, bool has_list,
                        std::optional<NodeId> node) {
    out.section("[[root_decoder]]");
    out.text("name", decoder.name);
    out.hex("start", decoder.window.start.value());
    out.size("size", decoder.window.size);
    if (!decoder.volatile_capable) out.truth("volatile", false);
    if (decoder.pmem_capable) out.truth("pmem", true);
    if (decoder.qos_class) out.number("qos_class", *decoder.qos_class);
    if (decoder.interleave_ways != 1) out.number("interleave_ways", decoder.interleave_ways);
    if (decoder.interleave_granularity != 0)
        out.number("interleave_granularity", decoder.interleave_granularity);
    if (node) out.number("target_node", node->value());
    if (!decoder.targets.empty()) out.texts("bridges", decoder.targets);
    if (has_list) out.texts("memdevs", decoder.memdevs);
}

void write_region(TomlText& out, const Region& region, bool access_shown, bool dynamic) {
    out.section("[[region]]");
    out.text("name", region.name);
    if (region.type != RegionType::ram) out.text("type", to_string(region.type));
    out.hex("start", region.resource.value());
    out.size("size", region.size);
    out.texts("memdevs", region.memdevs);
    if (region.interleave_ways != std::max<std::size_t>(region.memdevs.size(), 1))
        out.number("interleave_ways", region.interleave_ways);
    out.number("interleave_granularity", region.interleave_granularity);
    if (!region.root_decoder.empty()) out.text("root_decoder", region.root_decoder);
    if (region.qos_class) out.number("qos_class", *region.qos_class);
    if (region.locked) out.truth("locked", true);
    if (region.disabled) out.truth("disabled", true);
    if (dynamic) out.truth("dynamic", true);
    write_access(out, region.access, access_shown);
}

void add_block_lists(std::vector<std::string>& pairs, const std::vector<BlockRun>& runs) {
    for (const Zone zone : std::array{Zone::none, Zone::kernel, Zone::movable}) {
        const std::string list = block_list(runs, zone);
        if (!list.empty()) pairs.push_back(fmt::format("{} = \"{}\"", word_of(zone), list));
    }
}

void write_blocks(TomlText& out, const DaxDescription& dax) {
    if (!dax.block_runs) {
        if (dax.blocks) out.text("blocks", word_of(*dax.blocks));
        return;
    }
    std::vector<std::string> pairs;
    if (dax.blocks_node) pairs.push_back(fmt::format("node = {}", dax.blocks_node->value()));
    add_block_lists(pairs, *dax.block_runs);
    out.table("blocks", pairs);
}

void write_memory(TomlText& out, const LooseMemory& memory) {
    out.section("[[memory]]");
    out.number("node", memory.node.value());
    out.text("from", memory.firmware ? "firmware" : "dax");
    std::vector<std::string> pairs;
    add_block_lists(pairs, memory.runs);
    out.table("blocks", pairs);
}

void write_endpoint_decoder(TomlText& out, const EndpointDecoder& decoder) {
    out.section("[[endpoint_decoder]]");
    out.text("name", decoder.name);
    out.text("memdev", decoder.memdev);
    out.size("size", decoder.capacity);
    if (decoder.locked) out.truth("locked", true);
    if (!decoder.mapped) return;
    out.hex("start", decoder.mapped->start.value());
    const std::uint64_t ways =
        decoder.mapped->size.value() / std::max<std::uint64_t>(decoder.capacity.value(), 1);
    if (ways > 1) out.number("interleave_ways", static_cast<int>(ways));
}

void write_dax(TomlText& out, const DaxDescription& dax) {
    const DaxDevice& device = dax.device;
    out.section("[[dax]]");
    out.text("name", device.id.name);
    if (!device.id.region.empty()) out.text("region", device.id.region);
    out.text("kind", to_string(device.kind));
    out.number("target_node", device.target_node.value());
    if (device.numa_node != NodeId{0}) out.number("numa_node", device.numa_node.value());
    out.size("align", device.align);
    std::vector<std::string> ranges;
    for (const PhysRange& range : device.ranges) {
        ranges.push_back(fmt::format("{{ start = {:#x}, size = {} }}", range.start.value(),
                                     TomlText::size_value(range.size)));
    }
    out.list("ranges", ranges);
    out.text("mode", to_string(device.mode));
    if (device.memmap_on_memory) out.truth("memmap_on_memory", true);
    if (!device.nvdimm_uuid.empty()) out.text("nvdimm_uuid", device.nvdimm_uuid);
    if (device.hotplug_state) out.text("state", to_string(*device.hotplug_state));
    write_blocks(out, dax);
}

}  // namespace

std::string write_machine(const MachineDescription& machine) {
    TomlText out;
    write_settings(out, machine);
    write_host(out, machine.host);
    for (const NodeDescription& node : machine.nodes) write_node(out, node);
    for (const Memdev& memdev : machine.memdevs) {
        const auto access = machine.memdev_access.find(memdev.name);
        write_memdev(out, memdev,
                     access == machine.memdev_access.end() ? AccessCoordinates{} : access->second);
    }
    for (const RootDecoder& decoder : machine.root_decoders) {
        const auto node = machine.decoder_nodes.find(decoder.name);
        write_root_decoder(out, decoder, machine.decoders_with_list.contains(decoder.name),
                           node == machine.decoder_nodes.end() ? std::nullopt : std::optional{node->second});
    }
    for (const Region& region : machine.regions)
        write_region(
            out, region, machine.access_shown.contains(region.name),
            std::ranges::find(machine.dynamic_regions, region.name) != machine.dynamic_regions.end());
    for (const EndpointDecoder& decoder : machine.endpoint_decoders) write_endpoint_decoder(out, decoder);
    for (const DaxDescription& dax : machine.dax_devices) write_dax(out, dax);
    for (const LooseMemory& memory : machine.memory) write_memory(out, memory);
    for (const ReservedRange& reserved : machine.reserved) {
        out.section("[[reserved]]");
        out.hex("start", reserved.range.start.value());
        out.size("size", reserved.range.size);
        out.text("holder", reserved.holder);
    }
    for (const Competitor& competitor : machine.competitors) {
        out.section("[[competitor]]");
        out.text("where", competitor.where);
        out.text("what", competitor.what);
        out.text("zone", word_of(competitor.zone));
        if (competitor.kind != CompetitorKind::onlines) out.text("kind", to_string(competitor.kind));
    }
    return out.take();
}

std::string toml_comment(std::string_view text, std::string_view hanging) {
    const std::string lead = "#" + (hanging.empty() ? std::string{" "} : std::string{hanging});
    std::string out;
    std::string line;
    while (true) {
        const std::size_t space = text.find(' ');
        const std::string word = TomlText::printable(text.substr(0, space));
        if (line.empty()) {
            line = lead + word;
        } else if (line.size() + 1 + word.size() > comment_width) {
            out += line + '\n';
            line = "#" + std::string(lead.size() - 1, ' ') + word;
        } else {
            line += ' ' + word;
        }
        if (space == std::string_view::npos) return out + line + '\n';
        text.remove_prefix(space + 1);
    }
}

}  // namespace cxlmemd::emulator
