// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/file_cxl.h"

#include <algorithm>

#include "backends/emulator/file_checks.h"

namespace cxlmemd::emulator {

void CxlSections::read_port(FileTable& table) {
    const std::string name = table.needed(table.device_name("name"), "name");
    const std::string parent = table.text("parent").value_or("");
    if (!parent.empty() && !parents_.contains(parent)) {
        table.wrong("parent", fmt::format("names \"{}\", which is not described", parent));
    }
    if (!parents_.emplace(name, parent).second) table.wrong("name", "is taken by an earlier one");
    table.finish();
}

// A port stands below ports that were described before it: this ends.
bool CxlSections::lies_below(std::string port, const std::string& target) const {
    while (port != target) {
        const auto it = parents_.find(port);
        if (it == parents_.end() || it->second.empty()) return false;
        port = it->second;
    }
    return true;
}

// Which cards the decoder leads to: those below its targets, or a list of them; else all.
void CxlSections::read_targets(FileTable& table, RootDecoder& decoder) {
    const std::vector<std::string> targets = table.texts("targets");
    decoder.targets = table.texts("bridges");
    if (decoder.targets.empty()) decoder.targets = targets;
    decoder.memdevs = table.texts("memdevs");
    for (const std::string& name : decoder.memdevs) check_known(table, "memdevs", name, machine_.memdevs);
    if (table.has("targets") && table.has("memdevs")) {
        table.wrong("memdevs", "goes without targets: what lies below those is known");
    }
    if (!targets.empty() && decoder.targets.size() != targets.size())
        table.wrong("bridges", "must name as many as targets");
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const std::string& target = targets[i];
        if (!parents_.contains(target)) {
            table.wrong("targets", fmt::format("names \"{}\", which is not described", target));
        }
        for (const auto& [memdev, port] : port_of_) {
            if (!lies_below(port, target)) continue;
            decoder.memdevs.push_back(memdev);
            const auto card = std::ranges::find(machine_.memdevs, memdev, &Memdev::name);
            if (card != machine_.memdevs.end() && card->bridge.empty() && i < decoder.targets.size())
                card->bridge = decoder.targets[i];
        }
    }
    std::ranges::sort(decoder.memdevs);
    decoder.memdevs.erase(std::unique(decoder.memdevs.begin(), decoder.memdevs.end()), decoder.memdevs.end());
    if (table.has("targets") || table.has("memdevs")) machine_.decoders_with_list.insert(decoder.name);
    const auto ways = table.number("interleave_ways", 16);
    decoder.interleave_ways =
        static_cast<std::uint32_t>(ways.value_or(std::max<std::size_t>(targets.size(), 1)));
}

void CxlSections::read_memdev(FileTable& table) {
    Memdev memdev;
    memdev.name = table.needed(table.device_name("name"), "name");
    memdev.serial = table.needed(table.number("serial"), "serial");
    memdev.host = table.needed(table.text("host"), "host");
    memdev.numa_node = table.node("numa_node").value_or(NodeId{0});
    memdev.ram_size = Bytes{table.size("ram_size").value_or(0)};
    memdev.pmem_size = Bytes{table.size("pmem_size").value_or(0)};
    memdev.firmware = table.text("firmware").value_or("");
    const AccessCoordinates access = read_access(table, false).access;
    if (access != AccessCoordinates{}) machine_.memdev_access[memdev.name] = access;
    check_unique(table, "name", machine_.memdevs, [&](const Memdev& m) { return m.name == memdev.name; });
    if (const auto port = table.text("port")) {
        if (!parents_.contains(*port))
            table.wrong("port", fmt::format("names \"{}\", which is not described", *port));
        port_of_.emplace(memdev.name, *port);
    }
    memdev.has_endpoint = table.truth("endpoint").value_or(true);
    memdev.bridge = table.text("bridge").value_or("");
    table.finish();
    machine_.memdevs.push_back(std::move(memdev));
}

void CxlSections::read_root_decoder(FileTable& table) {
    RootDecoder decoder;
    decoder.name = table.needed(table.device_name("name"), "name");
    decoder.window = read_range(table);
    decoder.volatile_capable = table.truth("volatile").value_or(true);
    decoder.pmem_capable = table.truth("pmem").value_or(false);
    if (const auto qos = table.number("qos_class", 0xffff)) decoder.qos_class = static_cast<int>(*qos);
    if (const auto node = table.node("target_node")) machine_.decoder_nodes[decoder.name] = *node;
    read_targets(table, decoder);
    decoder.interleave_granularity =
        static_cast<std::uint32_t>(table.number("interleave_granularity", 1U << 20).value_or(0));
    check_unique(table, "name", machine_.root_decoders,
                 [&](const RootDecoder& d) { return d.name == decoder.name; });
    table.finish();
    machine_.root_decoders.push_back(std::move(decoder));
}

void CxlSections::read_region(FileTable& table) {
    Region region;
    region.name = table.needed(table.device_name("name"), "name");
    const auto type = [](std::string_view text) -> std::optional<RegionType> {
        if (text == "ram") return RegionType::ram;
        return text == "pmem" ? std::optional{RegionType::pmem} : std::nullopt;
    };
    region.type = table.word("type", type, "ram or pmem").value_or(RegionType::ram);
    const PhysRange range = read_range(table);
    region.resource = range.start;
    region.size = range.size;
    region.memdevs = table.texts("memdevs");
    if (!table.has("memdevs")) table.wrong("memdevs", "is missing");
    const auto ways = table.number("interleave_ways", 16);
    region.interleave_ways =
        static_cast<std::uint32_t>(ways.value_or(std::max<std::size_t>(region.memdevs.size(), 1)));
    region.locked = table.truth("locked").value_or(false);
    region.disabled = table.truth("disabled").value_or(false);
    region.interleave_granularity =
        static_cast<std::uint32_t>(table.number("interleave_granularity", 16384).value_or(256));
    region.root_decoder = table.text("root_decoder").value_or("");
    if (const auto qos = table.number("qos_class", 0xffff)) region.qos_class = static_cast<int>(*qos);
    const DescribedAccess described = read_access(table);
    region.access = described.access;
    if (described.shown) machine_.access_shown.insert(region.name);
    if (table.truth("dynamic").value_or(false)) {
        if (!dynamic_capacity_) table.wrong("dynamic", "needs the feature dynamic_capacity");
        machine_.dynamic_regions.push_back(region.name);
    }
    for (const std::string& name : region.memdevs) check_known(table, "memdevs", name, machine_.memdevs);
    if (!region.root_decoder.empty())
        check_known(table, "root_decoder", region.root_decoder, machine_.root_decoders);
    check_unique(table, "name", machine_.regions, [&](const Region& r) { return r.name == region.name; });
    table.finish();
    machine_.regions.push_back(std::move(region));
}

}  // namespace cxlmemd::emulator
