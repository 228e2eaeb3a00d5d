// Cards, regions and dax devices that come and go, and what the kernel can do.
#include <fmt/format.h>

#include <algorithm>

#include "backends/emulator/inject_handlers.h"
#include "backends/emulator/values.h"

namespace cxlmemd::emulator::handlers {

namespace {

std::optional<PhysAddr> address(Details& details, const std::string& key) {
    const auto number = details.size(key);
    return number ? std::optional{PhysAddr{*number}} : std::nullopt;
}

// "mem0", or its serial as a number or a string.
std::string memdev_named(Details& details, const Machine& machine, const std::string& key,
                         std::string_view text) {
    const std::vector<Memdev>& memdevs = machine.memdevs();
    const auto serial = parse_number(text);
    const auto it = std::ranges::find_if(memdevs, [&](const Memdev& memdev) {
        return serial ? memdev.serial == *serial : memdev.name == text;
    });
    if (it != memdevs.end()) return it->name;
    details.wrong(key, fmt::format("names \"{}\", and there is no such memdev", text));
    return {};
}

std::string one_memdev(Details& details, const Machine& machine, const std::string& key) {
    const std::string text = details.needed(details.word(key), key);
    return text.empty() ? text : memdev_named(details, machine, key, text);
}

std::vector<std::string> memdev_list(Details& details, const Machine& machine, const std::string& key) {
    std::vector<std::string> out;
    const std::string text = details.needed(details.word(key), key);
    for (std::size_t from = 0; from <= text.size() && !text.empty();) {
        const std::size_t to = std::min(text.find(',', from), text.size());
        out.push_back(memdev_named(details, machine, key, std::string_view{text}.substr(from, to - from)));
        from = to + 1;
    }
    return out;
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

Result<> add_memdev(InjectTarget target, Details& details) {
    Memdev memdev;
    memdev.serial = details.needed(details.number("serial"), "serial");
    memdev.name = details.device_name("name").value_or("");
    memdev.host = details.text("host").value_or("0000:0f:00.0");
    memdev.numa_node = NodeId{details.node("numa_node").value_or(0)};
    memdev.ram_size = Bytes{details.size("ram_size").value_or(4ULL << 30)};
    memdev.pmem_size = Bytes{details.size("pmem_size").value_or(0)};
    memdev.firmware = details.text("firmware").value_or("emulated");
    if (auto read = details.finish(); !read) return read;
    auto added = target.machine.add_memdev(std::move(memdev));
    return added ? Result<>{} : fail(added.error());
}

Result<> remove_memdev(InjectTarget target, Details& details) {
    const std::string name = one_memdev(details, target.machine, "memdev");
    if (auto read = details.finish(); !read) return read;
    return target.machine.remove_memdev(name);
}

Result<> add_region(InjectTarget target, Details& details) {
    RegionRequest request;
    request.memdevs = memdev_list(details, target.machine, "memdevs");
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
    if (auto read = details.finish(); !read) return read;
    auto added = target.machine.add_region(request);
    return added ? Result<>{} : fail(added.error());
}

Result<> remove_region(InjectTarget target, Details& details) {
    const std::string name = details.needed(details.text("region"), "region");
    if (auto read = details.finish(); !read) return read;
    return target.machine.remove_region(name);
}

Result<> replace_dax(InjectTarget target, Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    const auto start = address(details, "start");
    if (auto read = details.finish(); !read) return read;
    return target.machine.replace_dax(name, start);
}

Result<> reserve_range(InjectTarget target, Details& details) {
    const auto start = details.needed(address(details, "start"), "start");
    const std::uint64_t size = details.needed(details.size("size"), "size");
    const std::string holder = details.text("holder").value_or("Reserved");
    if (size == 0 || size > ~start.value())
        details.wrong("size", "must be at least 1 and end inside 64 bits");
    if (auto read = details.finish(); !read) return read;
    target.machine.reserve({{start, Bytes{size}}, holder});
    return {};
}

Result<> set_hotremove(InjectTarget target, Details& details) {
    const bool possible = details.needed(details.truth("possible"), "possible");
    if (auto read = details.finish(); !read) return read;
    target.machine.set_hotremove(possible);
    return {};
}

}  // namespace cxlmemd::emulator::handlers
