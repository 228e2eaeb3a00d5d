// SPDX-License-Identifier: LGPL-2.1-or-later
// Cards, regions and dax devices that come and go, and what the kernel can do.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/emulator/inject_handlers.h"
#include "backends/emulator/values.h"
#include "policy/text.h"

namespace cxlmemd::emulator::handlers {

namespace {

std::optional<PhysAddr> address(Details& details, const std::string& key) {
    const auto number = details.size(key);
    return number ? std::optional{PhysAddr{*number}} : std::nullopt;
}

// "mem0", or its serial as a number or a string; in `event`, the detail `key` says so.
Result<std::string> memdev_named(const Machine& machine, std::string_view text, const std::string& event,
                                 const std::string& key) {
    const std::vector<Memdev>& memdevs = machine.memdevs();
    const auto serial = parse_number(text);
    const auto is_meant = [&](const Memdev& memdev) {
        return serial ? memdev.serial == *serial : memdev.name == text;
    };
    const auto it = std::ranges::find_if(memdevs, is_meant);
    if (std::ranges::count_if(memdevs, is_meant) > 1) {
        return fail(detail_error(event, key,
                                 fmt::format("names \"{}\", which several memdevs have: take "
                                             "the name of one, such as {}",
                                             text, it->name)));
    }
    if (it != memdevs.end()) return it->name;
    return fail(detail_error(
        event, key, fmt::format("names \"{}\", and there is no such memdev", visible_part(text, 60))));
}

// "mem0,mem1"
Result<std::vector<std::string>> memdevs_named(const Machine& machine, std::string_view list,
                                               const std::string& event, const std::string& key) {
    std::vector<std::string> out;
    for (std::size_t from = 0; from <= list.size();) {
        const std::size_t to = std::min(list.find(',', from), list.size());
        auto name = memdev_named(machine, list.substr(from, to - from), event, key);
        if (!name) return fail(name.error());
        out.push_back(std::move(*name));
        from = to + 1;
    }
    return out;
}

// The lowest PCI function from 0000:0f:00.0 on that no card has.
std::string free_host(const Machine& machine) {
    for (unsigned number = 0x0f;; ++number) {
        std::string host = fmt::format("{:04x}:{:02x}:00.0", number >> 8, number & 0xff);
        if (std::ranges::count(machine.memdevs(), host, &Memdev::host) == 0) return host;
    }
}

AccessCoordinates access(Details& details) {
    AccessCoordinates out;
    const auto read = [&]<class T>(const std::string& key, std::optional<T>& into) {
        const auto number = details.number(key);
        if (!number) return;
        if (*number > 0xffffffffU) return details.wrong(key, "is too large");
        into = T{static_cast<std::uint32_t>(*number)};
    };
    read("read_latency", out.read_latency);
    read("write_latency", out.write_latency);
    read("read_bandwidth", out.read_bandwidth);
    read("write_bandwidth", out.write_bandwidth);
    return out;
}

}  // namespace

Act add_memdev(Details& details) {
    Memdev memdev;
    memdev.serial = details.needed(details.number("serial"), "serial");
    memdev.name = details.device_name("name").value_or("");
    const auto host = details.text("host");
    memdev.numa_node = NodeId{details.node("numa_node").value_or(0)};
    memdev.ram_size = Bytes{details.size("ram_size").value_or(4ULL << 30)};
    memdev.pmem_size = Bytes{details.size("pmem_size").value_or(0)};
    memdev.firmware = details.text("firmware").value_or("emulated");
    return [memdev, host, coordinates = access(details)](InjectTarget& target) -> Result<> {
        Memdev card = memdev;
        card.host = host.value_or(free_host(target.machine));
        auto added = target.machine.add_memdev(std::move(card), coordinates);
        return added ? Result<>{} : fail(added.error());
    };
}

Act remove_memdev(Details& details) {
    const std::string which = details.needed(details.word("memdev"), "memdev");
    return [which, event = details.event()](InjectTarget& target) -> Result<> {
        const auto name = memdev_named(target.machine, which, event, "memdev");
        return name ? target.machine.remove_memdev(*name) : fail(name.error());
    };
}

Act add_region(Details& details) {
    RegionRequest request;
    const std::string list = details.needed(details.word("memdevs"), "memdevs");
    request.name = details.device_name("name").value_or("");
    request.root_decoder = details.text("root_decoder").value_or("");
    request.start = address(details, "start");
    request.size = Bytes{details.size("size").value_or(0)};
    if (const auto node = details.node("target_node")) request.target_node = NodeId{*node};
    const std::uint64_t granularity = details.number("interleave_granularity").value_or(256);
    if (granularity > 0xffffffffU) details.wrong("interleave_granularity", "is too large");
    request.interleave_granularity = static_cast<std::uint32_t>(granularity);
    const std::string kind = details.text("kind").value_or("cxl-ram");
    if (kind != "cxl-ram" && kind != "cxl-pmem") details.wrong("kind", "must be cxl-ram or cxl-pmem");
    request.kind = kind == "cxl-pmem" ? DaxKind::cxl_pmem : DaxKind::cxl_ram;
    request.mode = details.mode();
    request.access = access(details);
    return [request, list, event = details.event()](InjectTarget& target) -> Result<> {
        auto memdevs = memdevs_named(target.machine, list, event, "memdevs");
        if (!memdevs) return fail(memdevs.error());
        RegionRequest complete = request;
        complete.memdevs = std::move(*memdevs);
        auto added = target.machine.add_region(complete);
        return added ? Result<>{} : fail(added.error());
    };
}

Act remove_region(Details& details) {
    const std::string name = details.needed(details.text("region"), "region");
    return [name](InjectTarget& target) { return target.machine.remove_region(name); };
}

Act disable_region(Details& details) {
    const std::string name = details.needed(details.text("region"), "region");
    return [name](InjectTarget& target) { return target.machine.disable_region(name); };
}

Act replace_dax(Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    const auto start = address(details, "start");
    return [name, start](InjectTarget& target) { return target.machine.replace_dax(name, start); };
}

Act add_extent(Details& details) {
    ExtentRequest request;
    request.region = details.text("region").value_or("");
    request.dax = details.text("dax").value_or("");
    if (!details.has("region") && !details.has("dax")) details.wrong("region", "is missing (or \"dax\")");
    if (details.has("region") && details.has("dax")) details.wrong("region", "does not go with \"dax\"");
    request.size = Bytes{details.needed(details.size("size"), "size")};
    if (const auto offset = details.size("offset")) request.offset = Bytes{*offset};
    request.count = details.number("count").value_or(1);
    if (request.count == 0 || request.count > max_ranges)
        details.wrong("count", fmt::format("must be 1 to {}", max_ranges));
    if (request.offset && request.count > 1)
        details.wrong("offset", "is of one extent, and \"count\" is more");
    if (details.has("mode") && details.has("dax")) details.wrong("mode", "does not go with \"dax\"");
    request.mode = details.mode();
    return [request](InjectTarget& target) -> Result<> {
        auto added = target.machine.add_extents(request);
        return added ? Result<>{} : fail(added.error());
    };
}

Act release_extent(Details& details) {
    const std::string dax = details.needed(details.text("dax"), "dax");
    const auto nth = details.number("nth");
    if (nth && *nth >= max_ranges) details.wrong("nth", "is larger than a device could have");
    const bool force = details.truth("force").value_or(false);
    return [=](InjectTarget& target) {
        const auto which = nth ? std::optional{static_cast<std::size_t>(*nth)} : std::nullopt;
        return target.machine.release_extent(dax, which, force);
    };
}

Act reserve_range(Details& details) {
    const auto start = details.needed(address(details, "start"), "start");
    const std::uint64_t size = details.needed(details.size("size"), "size");
    const std::string holder = details.text("holder").value_or("Reserved");
    if (details.has("size") && (size == 0 || size > ~start.value()))
        details.wrong("size", "must be at least 1 and end inside 64 bits");
    return [=](InjectTarget& target) -> Result<> {
        target.machine.reserve({{start, Bytes{size}}, holder});
        return {};
    };
}

Act set_hotremove(Details& details) {
    const bool possible = details.needed(details.truth("possible"), "possible");
    return [possible](InjectTarget& target) -> Result<> {
        target.machine.set_hotremove(possible);
        return {};
    };
}

}  // namespace cxlmemd::emulator::handlers
