// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory that no dax device has, and decoders that no region has.
#include <algorithm>
#include <cerrno>
#include <map>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

// When the machine is switched on: it is there, in its zones, and nobody else can have the range.
void Machine::add_memory(const LooseMemory& memory) {
    if (memory.firmware) {
        firmware_nodes_.insert(memory.node);
        if (described(memory.node) == nullptr) {
            NodeDescription node;
            node.id = memory.node;
            nodes_.push_back(node);
        }
    }
    for (auto run = memory.runs.begin(); run != memory.runs.end();) {
        MemoryBlocks::Span span{run->first, 0};
        while (run != memory.runs.end() && run->first.value() == span.end()) span.count += run++->count;
        if (blocks_.overlaps(span)) continue;
        reserve({range_of(span), memory.firmware ? "System RAM" : "System RAM (kmem)"});
        if (memory.firmware) firmware_ram_.push_back(range_of(span));
        add_blocks(span, memory.node, AutoOnline::offline, Zone::none);
    }
    for (const BlockRun& run : memory.runs) {
        for (std::uint64_t i = 0; run.zone != Zone::none && i < run.count; ++i)
            online(BlockIndex{run.first.value() + i}, memory.node, run.zone);
    }
    std::ranges::sort(firmware_ram_, {}, &PhysRange::start);
}

bool Machine::is_firmware_ram(BlockIndex block) const {
    const PhysRange place = range_of({block, 1});
    return std::ranges::any_of(firmware_ram_, [&](const PhysRange& each) { return overlap(each, place); });
}

// A card's decoders are given out in the order in which its regions are made.
std::vector<EndpointDecoder> Machine::endpoint_decoders() const {
    std::vector<EndpointDecoder> out = loose_decoders_;
    std::erase_if(out, [&](const EndpointDecoder& decoder) {
        return std::ranges::find(memdevs_, decoder.memdev, &Memdev::name) == memdevs_.end();
    });
    std::map<std::string, unsigned> taken;
    for (const Region& region : regions_) {
        const std::uint64_t share = region.size.value() / std::max(region.interleave_ways, 1U);
        for (const std::string& memdev : region.memdevs) {
            const std::string name = "decoder-" + memdev + "." + std::to_string(taken[memdev]++);
            if (share == 0) continue;
            out.push_back({.name = name,
                           .memdev = memdev,
                           .capacity = Bytes{share},
                           .region = region.name,
                           .mapped = std::nullopt,
                           .locked = region.locked});
        }
    }
    std::ranges::sort(out, {}, &EndpointDecoder::name);
    return out;
}

Result<> Machine::make_unreadable(BlockIndex block, int errnum) {
    if (!blocks_.exists(block)) {
        return fail(kernel_error("memory block " + std::to_string(block.value()), "make unreadable", ENOENT,
                                 "there is no such block"));
    }
    if (errnum == 0) {
        unreadable_.erase(block);
    } else {
        unreadable_[block] = errnum;
    }
    return {};
}

int Machine::unreadable(BlockIndex block) const {
    const auto found = unreadable_.find(block);
    return found == unreadable_.end() || !blocks_.exists(block) ? 0 : found->second;
}

int Machine::unreadable_in(const PhysRange& range) const {
    if (range.size.value() == 0) return 0;
    for (const auto& [block, errnum] : unreadable_) {
        if (blocks_.exists(block) && overlap(range_of({block, 1}), range)) return errnum;
    }
    return 0;
}

}  // namespace cxlmemd::emulator
