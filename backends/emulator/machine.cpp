// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/machine.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cxlmemd::emulator {

Error kernel_error(std::string object, std::string operation, int errnum, std::string reason) {
    return {.code = code_of_errno(errnum),
            .object = std::move(object),
            .operation = std::move(operation),
            .errnum = errnum,
            .reason = std::move(reason),
            .advice = {}};
}

BlockWrite block_write(BlockTarget target) {
    switch (target) {
        case BlockTarget::offline: return BlockWrite::offline;
        case BlockTarget::online_kernel: return BlockWrite::online_kernel;
        case BlockTarget::online_movable: return BlockWrite::online_movable;
    }
    return BlockWrite::offline;
}

std::optional<BlockWrite> block_write_from(std::string_view text) {
    if (text == "offline") return BlockWrite::offline;
    if (text == "online") return BlockWrite::online;
    if (text == "online_kernel") return BlockWrite::online_kernel;
    if (text == "online_movable") return BlockWrite::online_movable;
    return std::nullopt;
}

Machine::Machine(MachineDescription description, UeventSink sink, KernelLog log, Postpone postpone)
    : sink_(std::move(sink)),
      log_(std::move(log)),
      postpone_(std::move(postpone)),
      late_dax_usec_(description.late_dax_usec),
      block_size_(description.block_size),
      auto_online_(description.auto_online),
      features_(description.features),
      kernel_zone_unmovable_(description.kernel_zone_unmovable),
      time_model_(description.time_model),
      memdevs_(std::move(description.memdevs)),
      memdev_access_(std::move(description.memdev_access)),
      root_decoders_(std::move(description.root_decoders)),
      loose_decoders_(std::move(description.endpoint_decoders)),
      regions_(std::move(description.regions)),
      nodes_(std::move(description.nodes)),
      reserved_(std::move(description.reserved)),
      competitors_(std::move(description.competitors)),
      host_(std::move(description.host)),
      firmware_map_(description.firmware_map),
      decoders_with_list_(std::move(description.decoders_with_list)),
      decoder_nodes_(std::move(description.decoder_nodes)),
      dynamic_regions_(std::move(description.dynamic_regions)),
      live_extents_(description.live_extents),
      interleave_auto_(description.features.weighted_interleave_auto && description.interleave_auto),
      demotion_(description.features.demotion && description.demotion_enabled) {
    for (Memdev& memdev : memdevs_) memdev.generation = ++generation_;
    for (Region& region : regions_) {
        region.generation = ++generation_;
        const bool is_shown = description.access_shown.contains(region.name);
        if (is_shown) access_shown_.insert(region.generation);
        if (!is_shown && region.access == AccessCoordinates{}) region.access = access_by(region.memdevs);
    }
    for (const NodeDescription& node : nodes_) {
        if (node.access_shown) performance_known_.insert(node.id);
        if (node.interleave_weight) described_weights_[node.id] = *node.interleave_weight;
    }
    for (const LooseMemory& memory : description.memory) add_memory(memory);
    // A binding that the kernel would refuse is refused here too: the device stands there unbound.
    for (DaxDescription& dax : description.dax_devices) static_cast<void>(add_dax(std::move(dax)));
    for (Region& region : regions_) {
        if (region.disabled) disable(region);
    }
}

const DaxDevice* Machine::dax(std::string_view name) const {
    const auto it = std::ranges::find(dax_devices_, name, &Dax::name);
    return it == dax_devices_.end() ? nullptr : &it->device;
}

Machine::Dax* Machine::find(std::string_view name) {
    const auto it = std::ranges::find(dax_devices_, name, &Dax::name);
    return it == dax_devices_.end() ? nullptr : &*it;
}

MemoryBlocks::Span Machine::span_of(const PhysRange& range) const {
    const std::uint64_t size = block_size_.value();
    if (size == 0) return {};
    const std::uint64_t first = range.start.value() / size + (range.start.value() % size != 0 ? 1 : 0);
    const std::uint64_t end = range.end().value() / size;
    return {BlockIndex{first}, end > first ? end - first : 0};
}

PhysRange Machine::range_of(MemoryBlocks::Span span) const {
    return {PhysAddr{span.first.value() * block_size_.value()}, Bytes{span.count * block_size_.value()}};
}

std::vector<MemoryBlocks::Span> Machine::whole_spans(const DaxDevice& device) const {
    std::vector<MemoryBlocks::Span> spans;
    for (const PhysRange& range : device.ranges) {
        if (const MemoryBlocks::Span span = span_of(range); span.count != 0) spans.push_back(span);
    }
    return spans;
}

bool Machine::memory_leaked(const DaxDevice& device) const {
    return device.mode != DaxMode::system_ram &&
           std::ranges::any_of(whole_spans(device), [&](auto span) { return blocks_.overlaps(span); });
}

Topology Machine::topology() const {
    Topology out;
    out.block_size = block_size_;
    out.auto_online = auto_online_;
    out.features = features_;
    if (features_.weighted_interleave_auto) out.interleave_auto = interleave_auto_;
    if (features_.demotion) out.demotion_enabled = demotion_;
    out.memdevs = memdevs_;
    out.root_decoders = root_decoders_;
    for (RootDecoder& decoder : out.root_decoders) {
        const auto is_gone = [&](const std::string& name) {
            return std::ranges::find(memdevs_, name, &Memdev::name) == memdevs_.end();
        };
        if (decoders_with_list_.contains(decoder.name)) {
            std::erase_if(decoder.memdevs, is_gone);
            continue;
        }
        // One host bridge, and all cards are below it.
        std::ranges::transform(memdevs_, std::back_inserter(decoder.memdevs), &Memdev::name);
        std::ranges::sort(decoder.memdevs);
    }
    for (const Region& region : regions_) out.regions.push_back(shown(region));
    out.endpoint_decoders = endpoint_decoders();
    std::vector<PhysRange> ranges;
    for (const RootDecoder& decoder : root_decoders_) ranges.push_back(decoder.window);
    for (const Region& region : regions_) ranges.push_back({region.resource, region.size});
    for (const Dax& dax : dax_devices_) {
        out.dax_devices.push_back(dax.device);
        if (const auto state = dax_state(dax))
            out.dax_devices.back().hotplug_state = hotplug_state_from(*state);
        ranges.insert(ranges.end(), dax.device.ranges.begin(), dax.device.ranges.end());
    }
    if (block_size_.value() == 0) ranges.clear();
    std::erase_if(ranges, [](const PhysRange& range) { return range.size.value() == 0; });
    std::ranges::sort(ranges, {}, &PhysRange::start);
    std::uint64_t next = 0;  // the first block that has not been visited
    for (const PhysRange& range : ranges) {
        // Every block that the range touches, not the whole ones only: see Topology::blocks.
        const std::uint64_t first = std::max(next, range.start.value() / block_size_.value());
        const std::uint64_t end = (range.end().value() - 1) / block_size_.value() + 1;
        if (first >= end) continue;
        blocks_.look({BlockIndex{first}, end - first}, out.blocks);
        next = end;
    }
    for (const auto& [block, errnum] : unreadable_) {
        const auto hidden = std::ranges::lower_bound(out.blocks, block, {}, &Block::index);
        if (hidden == out.blocks.end() || hidden->index != block) continue;
        out.blocks.erase(hidden);
        out.unreadable.push_back({.what = "memory block " + std::to_string(block.value()) + ": state",
                                  .where = range_of({block, 1}),
                                  .memdev = {},
                                  .errnum = errnum});
    }
    if (firmware_map_) out.firmware_ram = firmware_ram_;
    std::ranges::sort(out.memdevs, {}, &Memdev::name);
    std::ranges::sort(out.root_decoders, {}, &RootDecoder::name);
    std::ranges::sort(out.regions, {}, &Region::name);
    std::ranges::sort(out.dax_devices, {}, [](const DaxDevice& d) { return d.id.name; });
    out.nodes = nodes();
    out.kernel_available = kernel_available();
    out.competitors = competitors_;
    out.host = host_;
    return out;
}

void Machine::tell(Uevent::Action action, Uevent::Subsystem subsystem, std::string name) const {
    if (sink_) sink_({action, subsystem, BlockIndex{}, std::move(name)});
}

void Machine::tell(Uevent::Action action, BlockIndex block) const {
    if (sink_) sink_({action, Uevent::Subsystem::memory, block, {}});
}

}  // namespace cxlmemd::emulator
