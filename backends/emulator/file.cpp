#include "backends/emulator/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <map>
#include <tuple>

#include "backends/emulator/file_table.h"
#include "backends/emulator/scenario_file.h"
#include "policy/parser_guard.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::uint64_t smallest_block = 128ULL << 20;
constexpr std::uint64_t largest_block = 2ULL << 30;

std::optional<DaxKind> dax_kind_from(std::string_view text) {
    using enum DaxKind;
    for (const DaxKind kind : std::array{cxl_ram, cxl_pmem, hmem, pmem}) {
        if (to_string(kind) == text) return kind;
    }
    return std::nullopt;
}

std::optional<Zone> zone_from(std::string_view text) {
    if (text == "offline") return Zone::none;
    if (text == "kernel") return Zone::kernel;
    if (text == "movable") return Zone::movable;
    return std::nullopt;
}

AccessCoordinates read_access(FileTable& parent) {
    AccessCoordinates out;
    std::optional<FileTable> table = parent.table("access");
    if (!table) return out;
    const auto read = [&]<class T>(std::string_view key, std::optional<T>& into) {
        if (const auto number = table->number(key, 0xffffffffU))
            into = T{static_cast<std::uint32_t>(*number)};
    };
    read("read_latency", out.read_latency);
    read("write_latency", out.write_latency);
    read("read_bandwidth", out.read_bandwidth);
    read("write_bandwidth", out.write_bandwidth);
    table->finish();
    return out;
}

PhysRange read_range(FileTable& table) {
    const std::uint64_t start = table.needed(table.size("start"), "start");
    const std::uint64_t size = table.needed(table.size("size"), "size");
    if (table.has("size") && size == 0) table.wrong("size", "must not be 0");
    if (size != 0 && size - 1 > max_address - start) {
        table.wrong("size", fmt::format("must end at {:#x} at most", max_address));
    }
    return {PhysAddr{start}, Bytes{size}};
}

// Reads the sections and holds what they say against each other.
class MachineFile final {
 public:
    MachineFile(FileTable root, const std::string& name) : root_(std::move(root)), name_(name) {}

    MachineDescription read() {
        machine_.machine_file = root_.text("machine");
        machine_.scenario = read_scenario(root_, name_);
        if (!machine_.machine_file) read_machine();
        root_.finish();
        return std::move(machine_);
    }

 private:
    void read_machine() {
        read_settings();
        for (FileTable& table : root_.tables("node", max_entries)) read_node(table);
        for (FileTable& table : root_.tables("memdev", max_entries)) read_memdev(table);
        for (FileTable& table : root_.tables("root_decoder", max_entries)) read_root_decoder(table);
        for (FileTable& table : root_.tables("region", max_entries)) read_region(table);
        for (FileTable& table : root_.tables("dax", max_entries)) read_dax(table);
        for (FileTable& table : root_.tables("reserved", max_entries)) read_reserved(table);
        for (FileTable& table : root_.tables("competitor", max_entries)) read_competitor(table);
    }

    void read_settings() {
        if (const auto size = root_.size("block_size")) {
            if (*size != 0 &&
                (!std::has_single_bit(*size) || *size < smallest_block || *size > largest_block)) {
                root_.wrong("block_size",
                            "must be a power of two from 128MiB to 2GiB, or 0 for no memory blocks");
            } else {
                machine_.block_size = Bytes{*size};
            }
        }
        machine_.auto_online =
            root_.word("auto_online", auto_online_from, "offline, online, online_kernel or online_movable")
                .value_or(AutoOnline::offline);
        machine_.kernel_zone_unmovable = root_.truth("kernel_zone_unmovable").value_or(false);
        if (std::optional<FileTable> table = root_.table("features")) {
            Features& features = machine_.features;
            const auto read = [&](std::string_view key, bool& into) {
                into = table->truth(key).value_or(into);
            };
            read("weighted_interleave", features.weighted_interleave);
            read("weighted_interleave_auto", features.weighted_interleave_auto);
            read("access_coordinates", features.access_coordinates);
            read("region_create", features.region_create);
            read("memory_hotremove", features.memory_hotremove);
            read("demotion", features.demotion);
            read("dax_state", features.dax_state);
            read("dynamic_capacity", dynamic_capacity_);
            table->finish();
        }
        if (std::optional<FileTable> table = root_.table("kernel")) {
            machine_.time_model =
                table->word("time_model", time_model_from, "none, before-7.4 or 7.4").value_or(TimeModel{});
            table->finish();
        }
    }

    void read_node(FileTable& table) {
        NodeDescription node;
        node.id = table.needed(table.node("id"), "id");
        node.has_cpu = table.truth("cpus").value_or(false);
        node.kernel_bytes = Bytes{table.size("memory").value_or(0)};
        node.movable_bytes = Bytes{table.size("movable").value_or(0)};
        node.used_bytes = Bytes{table.size("used").value_or(node.kernel_bytes.value() / 4)};
        if (node.used_bytes > node.kernel_bytes) table.wrong("used", "must not be more than memory");
        node.access = read_access(table);
        if (node.id.value() < 0) table.wrong("id", "must not be negative");
        unique(table, "id", machine_.nodes, [&](const NodeDescription& n) { return n.id == node.id; });
        table.finish();
        machine_.nodes.push_back(node);
    }

    void read_memdev(FileTable& table) {
        Memdev memdev;
        memdev.name = table.needed(table.device_name("name"), "name");
        memdev.serial = table.needed(table.number("serial"), "serial");
        memdev.host = table.needed(table.text("host"), "host");
        memdev.numa_node = table.node("numa_node").value_or(NodeId{0});
        memdev.ram_size = Bytes{table.size("ram_size").value_or(0)};
        memdev.pmem_size = Bytes{table.size("pmem_size").value_or(0)};
        memdev.firmware = table.text("firmware").value_or("");
        unique(table, "name", machine_.memdevs, [&](const Memdev& m) { return m.name == memdev.name; });
        unique(table, "serial", machine_.memdevs, [&](const Memdev& m) { return m.serial == memdev.serial; });
        table.finish();
        machine_.memdevs.push_back(std::move(memdev));
    }

    void read_root_decoder(FileTable& table) {
        RootDecoder decoder;
        decoder.name = table.needed(table.device_name("name"), "name");
        decoder.window = read_range(table);
        decoder.volatile_capable = table.truth("volatile").value_or(true);
        decoder.pmem_capable = table.truth("pmem").value_or(false);
        if (const auto qos = table.number("qos_class", 0xffff)) decoder.qos_class = static_cast<int>(*qos);
        unique(table, "name", machine_.root_decoders,
               [&](const RootDecoder& d) { return d.name == decoder.name; });
        table.finish();
        machine_.root_decoders.push_back(std::move(decoder));
    }

    void read_region(FileTable& table) {
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
        region.interleave_ways = static_cast<std::uint32_t>(std::max<std::size_t>(region.memdevs.size(), 1));
        region.interleave_granularity =
            static_cast<std::uint32_t>(table.number("interleave_granularity", 16384).value_or(256));
        region.root_decoder = table.text("root_decoder").value_or("");
        if (const auto qos = table.number("qos_class", 0xffff)) region.qos_class = static_cast<int>(*qos);
        region.access = read_access(table);
        if (table.truth("dynamic").value_or(false)) {
            if (!dynamic_capacity_) table.wrong("dynamic", "needs the feature dynamic_capacity");
            machine_.dynamic_regions.push_back(region.name);
        }
        for (const std::string& name : region.memdevs) known(table, "memdevs", name, machine_.memdevs);
        if (!region.root_decoder.empty())
            known(table, "root_decoder", region.root_decoder, machine_.root_decoders);
        unique(table, "name", machine_.regions, [&](const Region& r) { return r.name == region.name; });
        table.finish();
        machine_.regions.push_back(std::move(region));
    }

    void read_dax(FileTable& table) {
        DaxDescription dax;
        DaxDevice& device = dax.device;
        device.id.name = table.needed(table.device_name("name"), "name");
        device.id.region = table.text("region").value_or("");
        const auto region = std::ranges::find(machine_.regions, device.id.region, &Region::name);
        const bool has_region = region != machine_.regions.end() && !device.id.region.empty();
        if (!device.id.region.empty()) known(table, "region", device.id.region, machine_.regions);
        const bool pmem = has_region && region->type == RegionType::pmem;
        device.kind = table.word("kind", dax_kind_from, "cxl-ram, cxl-pmem, hmem or pmem")
                          .value_or(pmem         ? DaxKind::cxl_pmem
                                    : has_region ? DaxKind::cxl_ram
                                                 : DaxKind::hmem);
        device.target_node = table.needed(table.node("target_node"), "target_node");
        device.numa_node = table.node("numa_node").value_or(NodeId{0});
        device.align = Bytes{table.size("align").value_or(2ULL << 20)};
        device.mode =
            table.word("mode", dax_mode_from, "system-ram, devdax or unbound").value_or(DaxMode::system_ram);
        device.memmap_on_memory = table.truth("memmap_on_memory").value_or(false);
        dax.blocks = table.word("blocks", zone_from, "offline, kernel or movable");
        for (FileTable& range : table.tables("ranges", max_ranges)) {
            device.ranges.push_back(read_range(range));
            range.finish();
            claim(range, device.ranges.back());
        }
        if (!table.has("ranges") && has_region) {
            device.ranges.push_back({region->resource, region->size});
            claim(table, device.ranges.back());
        } else if (device.ranges.empty()) {
            table.wrong("ranges", "must name one range at least, there is no region to take it from");
        }
        unique(table, "name", machine_.dax_devices,
               [&](const DaxDescription& d) { return d.device.id.name == device.id.name; });
        table.finish();
        machine_.dax_devices.push_back(std::move(dax));
    }

    void read_competitor(FileTable& table) {
        Competitor competitor;
        competitor.where = table.needed(table.text("where"), "where");
        competitor.what = table.text("what").value_or("a udev rule");
        competitor.zone = table.word("zone", zone_from, "offline, kernel or movable").value_or(Zone::none);
        table.finish();
        machine_.competitors.push_back(std::move(competitor));
    }

    void read_reserved(FileTable& table) {
        ReservedRange reserved;
        reserved.range = read_range(table);
        reserved.holder = table.needed(table.text("holder"), "holder");
        table.finish();
        machine_.reserved.push_back(std::move(reserved));
    }

    template <class Items, class Same>
    static void unique(FileTable& table, std::string_view key, const Items& items, Same same) {
        if (table.has(key) && std::ranges::any_of(items, same))
            table.wrong(key, "is taken by an earlier one");
    }

    template <class Items>
    static void known(FileTable& table, std::string_view key, const std::string& name, const Items& items) {
        const auto same = [&](const auto& item) { return item.name == name; };
        if (std::ranges::none_of(items, same)) {
            table.wrong(key, fmt::format("names \"{}\", which is not described", name));
        }
    }

    // No two dax devices share a byte, and their blocks stay within bounds.
    void claim(FileTable& table, const PhysRange& range) {
        if (range.size.value() == 0) return;
        const auto next = claimed_.upper_bound(range.start.value());
        const bool hits_next = next != claimed_.end() && next->first < range.end().value();
        const bool hits_previous = next != claimed_.begin() && std::prev(next)->second > range.start.value();
        if (hits_next || hits_previous) table.wrong("start", "lies in the range of another dax device");
        claimed_.emplace(range.start.value(), range.end().value());
        if (machine_.block_size.value() != 0) blocks_ += range.size.value() / machine_.block_size.value();
        if (blocks_ > max_blocks)
            table.wrong("size", fmt::format("makes more than {} memory blocks", max_blocks));
    }

    FileTable root_;
    const std::string& name_;
    MachineDescription machine_;
    bool dynamic_capacity_ = false;
    std::map<std::uint64_t, std::uint64_t> claimed_;  // start to end, of dax devices
    std::uint64_t blocks_ = 0;
};

tl::unexpected<std::vector<FileProblem>> one_problem(FileProblem problem) {
    return tl::unexpected(std::vector<FileProblem>{std::move(problem)});
}

}  // namespace

std::string to_string(const FileProblem& problem) {
    return fmt::format("{}:{}:{}: error: {}", problem.file, problem.line, problem.column, problem.message);
}

ParsedMachine parse_machine(std::string_view text, const std::string& name) {
    if (text.size() > max_file_bytes) {
        return one_problem({name, 0, 0, fmt::format("the file is larger than {} bytes", max_file_bytes)});
    }
    if (const auto refusal = syntax::refusal_of(text)) {
        return one_problem({name, refusal->at.line, refusal->at.column, refusal->message});
    }
    toml::table table;
    try {
        table = toml::parse(text, name);
    } catch (const toml::parse_error& error) {  // the one exception that toml++ has for bad text
        const toml::source_position& place = error.source().begin;
        return one_problem({name, place.line, place.column, std::string{error.description()}});
    }
    std::vector<FileProblem> problems;
    MachineDescription machine = MachineFile{FileTable{table, "", name, problems}, name}.read();
    if (problems.empty()) return machine;
    std::ranges::stable_sort(problems, {}, [](const FileProblem& p) { return std::tuple{p.line, p.column}; });
    return tl::unexpected(std::move(problems));
}

}  // namespace cxlmemd::emulator
