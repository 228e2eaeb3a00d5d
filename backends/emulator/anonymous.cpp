// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/anonymous.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cxlmemd::emulator {

namespace {

struct Island {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t moved_to = 0;
};

// Everything that has an address, what touches or overlaps as one.
std::vector<Island> islands_of(const Topology& topology) {
    std::vector<Island> parts;
    const auto add = [&](std::uint64_t begin, std::uint64_t size) {
        if (size != 0) parts.push_back({.begin = begin, .end = begin + size});
    };
    for (const RootDecoder& decoder : topology.root_decoders) {
        add(decoder.window.start.value(), decoder.window.size.value());
    }
    for (const Region& region : topology.regions) add(region.resource.value(), region.size.value());
    for (const EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.mapped) add(decoder.mapped->start.value(), decoder.mapped->size.value());
    }
    for (const DaxDevice& device : topology.dax_devices) {
        for (const PhysRange& range : device.ranges) add(range.start.value(), range.size.value());
    }
    const std::uint64_t block = topology.block_size.value();
    for (const Block& b : topology.blocks) add(b.index.value() * block, block);
    std::ranges::sort(parts, {}, &Island::begin);

    std::vector<Island> out;
    for (const Island& part : parts) {
        if (!out.empty() && part.begin <= out.back().end) {
            out.back().end = std::max(out.back().end, part.end);
        } else {
            out.push_back(part);
        }
    }
    return out;
}

}  // namespace

class MadeUp::Moved final {
 public:
    explicit Moved(const Topology& topology) : islands_(islands_of(topology)) {
        // What the kernel aligns windows to; a block is as large or a multiple of it.
        constexpr std::uint64_t window_unit = std::uint64_t{256} << 20U;
        const std::uint64_t unit = std::max(topology.block_size.value(), window_unit);
        std::uint64_t next = 0;
        for (Island& island : islands_) {
            island.moved_to = next + island.begin % unit;
            const std::uint64_t end = island.moved_to + (island.end - island.begin);
            next = (end / unit + 2) * unit;  // a gap of one unit at least
        }
    }

    [[nodiscard]] std::uint64_t operator()(std::uint64_t address) const {
        const auto behind = std::ranges::upper_bound(islands_, address, {}, &Island::begin);
        if (behind == islands_.begin()) return address;
        const Island& island = *std::prev(behind);
        // The end of an island belongs to it: a device without a size has its address there.
        return address <= island.end ? island.moved_to + (address - island.begin) : 0;
    }
    [[nodiscard]] PhysAddr operator()(PhysAddr address) const { return PhysAddr{(*this)(address.value())}; }

 private:
    std::vector<Island> islands_;
};

namespace {

// Of the firmware's memory only what memory blocks of the topology lie in is of interest, and is moved with
// them.
template <class Move>
void move_firmware_ram(Topology& topology, const Move& moved) {
    if (!topology.firmware_ram) return;
    std::vector<PhysRange> out;
    const Bytes size = topology.block_size;
    for (const Block& block : topology.blocks) {
        const PhysRange place{PhysAddr{block.index.value() * size.value()}, size};
        const bool is_firmware = std::ranges::any_of(
            *topology.firmware_ram, [&](const PhysRange& range) { return overlap(range, place); });
        if (is_firmware) out.push_back({moved(place.start), size});
    }
    topology.firmware_ram = std::move(out);
}

}  // namespace

namespace {

using Serials = std::map<std::uint64_t, std::uint64_t>;

Serials made_up_serials(const Topology& topology) {
    std::vector<std::tuple<std::string, std::string, std::uint64_t>> cards;
    for (const Memdev& memdev : topology.memdevs) cards.emplace_back(memdev.host, memdev.name, memdev.serial);
    std::ranges::sort(cards);
    // Cards that share a serial do so in the record, and 0 says that a card has none of its own.
    Serials made_up{{0, 0}};
    for (const auto& [host, name, serial] : cards) made_up.emplace(serial, made_up.size());
    for (const DaxDevice& device : topology.dax_devices) {
        for (const std::uint64_t serial : device.id.serials) made_up.emplace(serial, made_up.size());
    }
    return made_up;
}

Topology with_serials(Topology topology, const Serials& made_up) {
    const auto replaced = [&](std::uint64_t serial) {
        const auto found = made_up.find(serial);
        return found == made_up.end() ? 0 : found->second;
    };
    for (Memdev& memdev : topology.memdevs) memdev.serial = replaced(memdev.serial);
    for (DaxDevice& device : topology.dax_devices) {
        for (std::uint64_t& serial : device.id.serials) serial = replaced(serial);
    }
    std::uint64_t namespaces = 0;
    for (DaxDevice& device : topology.dax_devices) {
        if (!device.nvdimm_uuid.empty())
            device.nvdimm_uuid = fmt::format("00000000-0000-0000-0000-{:012x}", ++namespaces);
    }
    // A machine's own names say as much as a serial number.
    if (!topology.host.name.empty()) topology.host.name = "host";
    topology.host.machine_id.clear();
    return topology;
}

template <class Move>
Topology with_addresses(Topology topology, const Move& moved) {
    // 0 is "the kernel does not say" in these two; a window and a range begin where they begin.
    const auto known = [&](PhysAddr address) { return address == PhysAddr{} ? address : moved(address); };
    for (RootDecoder& decoder : topology.root_decoders) decoder.window.start = moved(decoder.window.start);
    for (Region& region : topology.regions) region.resource = known(region.resource);
    for (DaxDevice& device : topology.dax_devices) {
        device.resource = known(device.resource);
        device.id.start = known(device.id.start);
        for (PhysRange& range : device.ranges) range.start = moved(range.start);
    }
    for (EndpointDecoder& decoder : topology.endpoint_decoders) {
        if (decoder.mapped) decoder.mapped->start = moved(decoder.mapped->start);
    }
    move_firmware_ram(topology, moved);
    for (Leak& leak : topology.leaks) leak.range.start = moved(leak.range.start);
    // Their names have block numbers in them.
    topology.unreadable.clear();
    const std::uint64_t size = topology.block_size.value();
    for (Block& block : topology.blocks) {
        if (size != 0) block.index = BlockIndex{moved(block.index.value() * size) / size};
    }
    return topology;
}

}  // namespace

MadeUp::MadeUp(const Topology& everything)
    : serials_(made_up_serials(everything)),
      block_size_(everything.block_size.value()),
      moved_(std::make_unique<const Moved>(everything)) {}

MadeUp::~MadeUp() = default;

Topology MadeUp::operator()(Topology topology) const {
    return with_addresses(with_serials(std::move(topology), serials_), *moved_);
}

Topology MadeUp::with_addresses_of(Topology topology) const {
    return with_addresses(std::move(topology), *moved_);
}

std::uint64_t MadeUp::serial(std::uint64_t serial) const {
    const auto found = serials_.find(serial);
    return found == serials_.end() ? 0 : found->second;
}

PhysAddr MadeUp::address(PhysAddr address) const {
    return (*moved_)(address);
}

BlockIndex MadeUp::block(BlockIndex block) const {
    return block_size_ == 0 ? block : BlockIndex{(*moved_)(block.value() * block_size_) / block_size_};
}

Topology with_made_up_serials(Topology topology) {
    const Serials made_up = made_up_serials(topology);
    return with_serials(std::move(topology), made_up);
}

Topology with_made_up_addresses(Topology topology) {
    const MadeUp made_up{topology};
    return made_up.with_addresses_of(std::move(topology));
}

}  // namespace cxlmemd::emulator
