// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/file_memory.h"

#include <algorithm>
#include <iterator>

#include "backends/emulator/block_list.h"
#include "backends/emulator/file_checks.h"
#include "backends/emulator/file_dax.h"

namespace cxlmemd::emulator {

void MemorySections::read_memory(FileTable& table) {
    LooseMemory memory;
    memory.node = table.needed(table.node("node"), "node");
    if (memory.node.value() < 0) table.wrong("node", "must not be negative");
    const auto from = [](std::string_view text) -> std::optional<bool> {
        if (text == "firmware") return true;
        return text == "dax" ? std::optional{false} : std::nullopt;
    };
    memory.firmware = table.word("from", from, "firmware or dax").value_or(true);
    if (std::optional<FileTable> lists = table.table("blocks")) {
        memory.runs = read_block_lists(*lists);
        lists->finish();
    } else if (!table.has("blocks")) {
        table.wrong("blocks", "is missing");
    }
    if (memory.runs.empty() && table.has_table("blocks")) table.wrong("blocks", "must name a memory block");
    claim(table, memory);
    table.finish();
    machine_.memory.push_back(std::move(memory));
}

void MemorySections::read_endpoint_decoder(FileTable& table) {
    EndpointDecoder decoder;
    decoder.name = table.needed(table.device_name("name"), "name");
    decoder.memdev = table.needed(table.text("memdev"), "memdev");
    decoder.capacity = Bytes{table.needed(table.size("size"), "size")};
    if (decoder.capacity.value() == 0 && table.has("size")) table.wrong("size", "must not be 0");
    decoder.locked = table.truth("locked").value_or(false);
    if (const auto start = table.size("start")) {
        // Interleaved, the part of the address space that it shows up in is larger than its capacity.
        const std::uint64_t ways = table.number("interleave_ways", 16).value_or(1);
        if (ways == 0) table.wrong("interleave_ways", "must not be 0");
        const std::uint64_t size = decoder.capacity.value() * std::max<std::uint64_t>(ways, 1);
        if (size > max_address - *start) {
            table.wrong("start", "makes it end past the highest address");
        } else {
            decoder.mapped = PhysRange{PhysAddr{*start}, Bytes{size}};
        }
    }
    check_known(table, "memdev", decoder.memdev, machine_.memdevs);
    check_unique(table, "name", machine_.endpoint_decoders,
                 [&](const EndpointDecoder& d) { return d.name == decoder.name; });
    table.finish();
    machine_.endpoint_decoders.push_back(std::move(decoder));
}

// No two have one block, and none is wholly in a dax device, which says itself which of its blocks exist.
void MemorySections::claim(FileTable& table, const LooseMemory& memory) {
    const std::uint64_t size = machine_.block_size.value();
    if (size == 0 && !memory.runs.empty())
        return table.wrong("blocks", "needs memory blocks: block_size is 0");
    std::uint64_t next = 0;
    for (const BlockRun& run : memory.runs) {
        const std::uint64_t first = run.first.value();
        if (first < next) return table.wrong("blocks", fmt::format("names block {} twice", first));
        if (run.count > max_address / size || first > max_address / size - run.count)
            return table.wrong("blocks", fmt::format("names block {}, past the highest address", first));
        next = first + run.count;
        if (!is_free(first, run.count)) {
            return table.wrong(
                "blocks", fmt::format("names blocks {}-{}, which another [[memory]] or a [[dax]] has", first,
                                      next - 1));
        }
        blocks_ += run.count;
        if (blocks_ > max_blocks) {
            return table.wrong("blocks", fmt::format("makes more than {} memory blocks", max_blocks));
        }
    }
    for (const BlockRun& run : memory.runs)
        claimed_.emplace(run.first.value(), run.first.value() + run.count);
}

bool MemorySections::is_free(std::uint64_t first, std::uint64_t count) const {
    const auto next = claimed_.lower_bound(first + count);
    if (next != claimed_.begin() && std::prev(next)->second > first) return false;
    const std::uint64_t size = machine_.block_size.value();
    for (const DaxDescription& dax : machine_.dax_devices) {
        for (const PhysRange& range : dax.device.ranges) {
            const std::uint64_t from = (range.start.value() + size - 1) / size;
            const std::uint64_t end = range.end().value() / size;
            if (from < first + count && first < end) return false;
        }
    }
    const PhysRange place{PhysAddr{first * size}, Bytes{count * size}};
    return std::ranges::none_of(machine_.reserved, [&](const ReservedRange& reserved) {
        return reserved.range.size.value() != 0 && overlap(reserved.range, place);
    });
}

std::vector<PhysRange> MemorySections::places() const {
    std::vector<PhysRange> out;
    const auto add = [&](const PhysRange& range) {
        if (range.size.value() != 0) out.push_back(range);
    };
    const auto has_dax = [&](const PhysRange& range) {
        return std::ranges::any_of(machine_.dax_devices, [&](const DaxDescription& dax) {
            return std::ranges::any_of(dax.device.ranges,
                                       [&](const PhysRange& each) { return overlap(each, range); });
        });
    };
    for (const Region& region : machine_.regions) {
        const PhysRange range{region.resource, region.size};
        const bool is_dynamic =
            std::ranges::find(machine_.dynamic_regions, region.name) != machine_.dynamic_regions.end();
        if (region.type == RegionType::ram && !is_dynamic && !has_dax(range)) add(range);
    }
    for (const RootDecoder& root : machine_.root_decoders) {
        const bool has_region = std::ranges::any_of(machine_.regions, [&](const Region& region) {
            return region.size.value() != 0 && overlap({region.resource, region.size}, root.window);
        });
        if (root.volatile_capable && !has_region && !has_dax(root.window)) add(root.window);
    }
    return out;
}

bool MemorySections::place(NodeDescription& node) {
    const std::uint64_t size = machine_.block_size.value();
    if (size == 0) return false;
    const std::uint64_t kernel = node.kernel_bytes.value() / size;
    const std::uint64_t movable = node.movable_bytes.value() / size;
    const std::uint64_t count = kernel + movable;
    if (count == 0 || count > max_blocks - blocks_) return false;
    for (const PhysRange& range : places()) {
        const std::uint64_t end = range.end().value() / size;
        std::uint64_t first = (range.start.value() + size - 1) / size;
        // Behind what is there already.
        for (const auto& [from, to] : claimed_) {
            if (from < first + count && first < to) first = to;
        }
        if (first + count > end || !is_free(first, count)) continue;
        LooseMemory memory{.node = node.id, .runs = {}, .firmware = true};
        if (kernel != 0) memory.runs.push_back({BlockIndex{first}, kernel, Zone::kernel});
        if (movable != 0) memory.runs.push_back({BlockIndex{first + kernel}, movable, Zone::movable});
        node.kernel_bytes = node.kernel_bytes - Bytes{kernel * size};
        node.movable_bytes = node.movable_bytes - Bytes{movable * size};
        claimed_.emplace(first, first + count);
        blocks_ += count;
        machine_.memory.push_back(std::move(memory));
        return true;
    }
    return false;
}

}  // namespace cxlmemd::emulator
