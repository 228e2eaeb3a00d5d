// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/file_dax.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "backends/emulator/block_list.h"
#include "backends/emulator/file_checks.h"
#include "policy/uuid.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::array<std::pair<std::string_view, Zone>, 3> zone_words{
    {{"offline", Zone::none}, {"kernel", Zone::kernel}, {"movable", Zone::movable}}};

std::optional<DaxKind> dax_kind_from(std::string_view text) {
    using enum DaxKind;
    for (const DaxKind kind : std::array{cxl_ram, cxl_pmem, hmem, pmem}) {
        if (to_string(kind) == text) return kind;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Zone> zone_from(std::string_view text) {
    for (const auto& [word, zone] : zone_words) {
        if (word == text) return zone;
    }
    return std::nullopt;
}

std::vector<BlockRun> read_block_lists(FileTable& lists) {
    std::vector<BlockRun> runs;
    for (const auto& [word, zone] : zone_words) {
        const auto text = lists.long_text(word);
        if (!text) continue;
        const auto list = parse_block_list(*text, zone, max_blocks);
        if (!list) lists.wrong(word, "must be a list of memory blocks as in \"178-193,200\"");
        if (list) runs.insert(runs.end(), list->begin(), list->end());
    }
    return joined(std::move(runs));
}

void DaxSection::read_dax(FileTable& table) {
    DaxDescription dax;
    DaxDevice& device = dax.device;
    device.id.name = table.needed(table.device_name("name"), "name");
    device.id.region = table.text("region").value_or("");
    const auto region = std::ranges::find(machine_.regions, device.id.region, &Region::name);
    const bool has_region = region != machine_.regions.end() && !device.id.region.empty();
    if (!device.id.region.empty()) check_known(table, "region", device.id.region, machine_.regions);
    const bool pmem = has_region && region->type == RegionType::pmem;
    device.kind = table.word("kind", dax_kind_from, "cxl-ram, cxl-pmem, hmem or pmem")
                      .value_or(pmem         ? DaxKind::cxl_pmem
                                : has_region ? DaxKind::cxl_ram
                                             : DaxKind::hmem);
    device.target_node = table.needed(table.node("target_node"), "target_node");
    device.numa_node = table.node("numa_node").value_or(NodeId{0});
    device.align = Bytes{table.size("align").value_or(2ULL << 20)};
    device.mode = table.word("mode", dax_mode_from, "system-ram, devdax, famfs or unbound")
                      .value_or(DaxMode::system_ram);
    device.memmap_on_memory = table.truth("memmap_on_memory").value_or(false);
    device.hotplug_state = table.word("state", hotplug_state_from,
                                      "unplugged, offline, online, online_kernel or online_movable");
    if (const auto text = table.text("nvdimm_uuid")) {
        const auto uuid = uuid_from(*text);
        if (!uuid) table.wrong("nvdimm_uuid", "is not a UUID");
        device.nvdimm_uuid = uuid.value_or("");
    }
    read_ranges(table, device, has_region ? &*region : nullptr);
    read_blocks(table, dax);
    check_unique(table, "name", machine_.dax_devices,
                 [&](const DaxDescription& d) { return d.device.id.name == device.id.name; });
    table.finish();
    machine_.dax_devices.push_back(std::move(dax));
}

void DaxSection::read_ranges(FileTable& table, DaxDevice& device, const Region* region) {
    for (FileTable& range : table.tables("ranges", max_ranges)) {
        device.ranges.push_back(read_range(range));
        range.finish();
        claim(range, device.ranges.back());
    }
    if (!table.has("ranges") && region != nullptr) {
        device.ranges.push_back({region->resource, region->size});
        claim(table, device.ranges.back());
    } else if (device.ranges.empty()) {
        table.wrong("ranges", "must name one range at least, there is no region to take it from");
    }
}

// One word for all, or a table of lists, which also says which blocks exist.
void DaxSection::read_blocks(FileTable& table, DaxDescription& dax) const {
    if (!table.has_table("blocks")) {
        dax.blocks = table.word("blocks", zone_from, "offline, kernel or movable, or a table of block lists");
        return;
    }
    std::optional<FileTable> lists = table.table("blocks");
    dax.block_runs = read_block_lists(*lists);
    dax.blocks_node = lists->node("node");
    lists->finish();
    check_blocks(table, dax);
}

// kmem adds a range whole or not at all; what is leaked may be of a device that lay otherwise.
void DaxSection::check_blocks(FileTable& table, const DaxDescription& dax) const {
    const DaxDevice& device = dax.device;
    const std::vector<BlockRun>& runs = *dax.block_runs;
    struct Whole {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
        std::uint64_t named = 0;
    };
    std::vector<Whole> wholes;
    const std::uint64_t size = machine_.block_size.value();
    for (const PhysRange& range : device.ranges) {
        if (size == 0) break;
        const Whole whole{(range.start.value() + size - 1) / size, range.end().value() / size, 0};
        if (whole.first < whole.end) wholes.push_back(whole);
    }
    std::ranges::sort(wholes, {}, &Whole::first);
    std::uint64_t free = 0;  // the first block that no run has named
    for (const BlockRun& run : runs) {
        const std::uint64_t first = run.first.value();
        if (first < free) return table.wrong("blocks", fmt::format("names block {} twice", first));
        free = first + run.count;
        const auto after = std::ranges::upper_bound(wholes, first, {}, &Whole::first);
        const auto whole = after == wholes.begin() ? wholes.end() : std::prev(after);
        if (whole == wholes.end() || free > whole->end) {
            return table.wrong(
                "blocks",
                fmt::format("names blocks {}-{}, which are not all in one of its ranges", first, free - 1));
        }
        whole->named += run.count;
    }
    for (const Whole& whole : wholes) {
        if (device.mode != DaxMode::system_ram || whole.named == 0 || whole.named == whole.end - whole.first)
            continue;
        table.wrong("blocks",
                    fmt::format("must name all blocks of {}-{} or none, as the kernel adds a range whole",
                                whole.first, whole.end - 1));
    }
    if (!runs.empty() && dax.blocks_node.value_or(device.target_node).value() < 0) {
        table.wrong("blocks", "cannot be on a negative node");
    }
}

// No two dax devices share a byte, and their blocks stay within bounds.
void DaxSection::claim(FileTable& table, const PhysRange& range) {
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

}  // namespace cxlmemd::emulator
