// SPDX-License-Identifier: LGPL-2.1-or-later
// Memdevs, regions and dax devices that come and go: drivers/cxl/core/{memdev,region}.c, drivers/dax.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

Error no_such(std::string_view name, std::string operation) {
    Error error = kernel_error(std::string{name}, std::move(operation), ENODEV, "there is no such device");
    error.code = ErrorCode::not_found;
    return error;
}

Error wrong(std::string_view name, std::string operation, int errnum, std::string reason) {
    Error error = kernel_error(std::string{name}, std::move(operation), errnum, std::move(reason));
    error.code = ErrorCode::invalid_argument;
    return error;
}

// The lowest number that makes prefix + number a name nobody has.
template <class Taken>
std::string free_name(std::string_view prefix, std::string_view suffix, Taken taken) {
    for (unsigned number = 0;; ++number) {
        if (std::string name = fmt::format("{}{}{}", prefix, number, suffix); !taken(name)) return name;
    }
}

std::string dax_name_of(const std::string& region) {
    constexpr std::string_view prefix = "region";
    return fmt::format("dax{}.0", region.starts_with(prefix) ? region.substr(prefix.size()) : region);
}

}  // namespace

Result<std::string> Machine::add_memdev(Memdev memdev, const AccessCoordinates& access) {
    const auto taken = [&](std::string_view name) {
        return std::ranges::find(memdevs_, name, &Memdev::name) != memdevs_.end();
    };
    if (memdev.name.empty()) memdev.name = free_name("mem", "", taken);
    if (taken(memdev.name)) return fail(wrong(memdev.name, "add", EEXIST, "there is a device of that name"));
    // Cards may share a serial, or have none of their own; of one PCI function there is one.
    const auto same = std::ranges::find_if(memdevs_, [&](const Memdev& other) {
        return other.serial == memdev.serial && other.host == memdev.host;
    });
    if (same != memdevs_.end()) {
        return fail(wrong(memdev.name, "add", EEXIST,
                          fmt::format("serial {:#x} at {} is there already, as {}", memdev.serial,
                                      memdev.host, same->name)));
    }
    if (memdevs_.size() >= max_entries) return fail(wrong(memdev.name, "add", ENOSPC, "there are too many"));
    memdev.generation = ++generation_;
    std::string name = memdev.name;
    if (access != AccessCoordinates{}) memdev_access_[name] = access;
    memdevs_.push_back(std::move(memdev));
    tell(Action::add, Subsystem::cxl, name);
    return name;
}

Result<> Machine::remove_memdev(std::string_view name) {
    const auto it = std::ranges::find(memdevs_, name, &Memdev::name);
    if (it == memdevs_.end()) return fail(no_such(name, "remove"));
    for (Region& region : regions_) {
        if (std::erase(region.memdevs, name) == 0) continue;
        disable(region);
    }
    tell(Action::remove, Subsystem::cxl, std::string{name});
    memdev_access_.erase(it->name);
    memdevs_.erase(it);
    return {};
}

Result<Bytes> Machine::free_on(const std::vector<std::string>& memdevs, DaxKind kind) const {
    const RegionType type = kind == DaxKind::cxl_pmem ? RegionType::pmem : RegionType::ram;
    std::optional<Bytes> least;
    for (const std::string& name : memdevs) {
        const auto memdev = std::ranges::find(memdevs_, name, &Memdev::name);
        if (memdev == memdevs_.end()) return fail(no_such(name, "create region"));
        Bytes left = type == RegionType::ram ? memdev->ram_size : memdev->pmem_size;
        for (const Region& region : regions_) {
            if (region.type != type || std::ranges::find(region.memdevs, name) == region.memdevs.end())
                continue;
            left = left - std::min(left, Bytes{region.size.value() / std::max(region.interleave_ways, 1U)});
        }
        least = std::min(left, least.value_or(left));
    }
    return least.value_or(Bytes{});
}

// Fills in where the region lies: the lowest gap of the first root decoder that can hold it.
Result<> Machine::place(Region& region, const RegionRequest& request) const {
    const auto collides = [&](const PhysRange& range) {
        return std::ranges::find_if(regions_, [&](const Region& other) {
            return other.resource < range.end() &&
                   range.start.value() < other.resource.value() + other.size.value();
        });
    };
    if (request.start && region.size.value() > max_address - request.start->value()) {
        return fail(wrong(region.name, "create region", EINVAL, "it would end past the highest address"));
    }
    const auto fits = [&](PhysAddr start, const RootDecoder& decoder) {
        const PhysRange range{start, region.size};
        // Where nobody says where, nothing may lie there, also no memory that a region has left behind for
        // good.
        const bool is_taken = !request.start && holder_of(range) != nullptr;
        return decoder.window.start <= start && range.end() <= decoder.window.end() && !is_taken &&
               collides(range) == regions_.end();
    };
    if (request.start) {
        const auto other = collides({*request.start, region.size});
        if (other != regions_.end()) {
            return fail(
                wrong(region.name, "create region", EBUSY, fmt::format("{} lies there", other->name)));
        }
        region.resource = *request.start;
        const auto decoder = std::ranges::find_if(root_decoders_, [&](const RootDecoder& d) {
            return request.root_decoder.empty() ? fits(*request.start, d) : d.name == request.root_decoder;
        });
        if (decoder != root_decoders_.end()) region.root_decoder = decoder->name;
        return {};
    }
    for (const RootDecoder& decoder : root_decoders_) {
        if (!request.root_decoder.empty() && decoder.name != request.root_decoder) continue;
        if (!(region.type == RegionType::ram ? decoder.volatile_capable : decoder.pmem_capable)) continue;
        std::vector<PhysAddr> candidates{decoder.window.start};
        for (const Region& other : regions_) {
            candidates.emplace_back(other.resource.value() + other.size.value());
        }
        std::ranges::transform(reserved_, std::back_inserter(candidates),
                               [](const ReservedRange& taken) { return taken.range.end(); });
        std::ranges::sort(candidates);
        for (const PhysAddr start : candidates) {
            if (!fits(start, decoder)) continue;
            region.resource = start;
            region.root_decoder = decoder.name;
            region.qos_class = decoder.qos_class;
            return {};
        }
    }
    return fail(wrong(region.name, "create region", ENOSPC, "no root decoder has room for it"));
}

NodeId Machine::unused_node() const {
    const auto used = [&](NodeId id) {
        return std::ranges::find(nodes_, id, &NodeDescription::id) != nodes_.end() ||
               blocks_.nodes().contains(id) ||
               std::ranges::any_of(dax_devices_, [&](const Dax& d) { return d.device.target_node == id; }) ||
               std::ranges::any_of(late_dax_,
                                   [&](const auto& late) { return late.second.device.target_node == id; });
    };
    NodeId id{0};
    while (used(id)) id = NodeId{id.value() + 1};
    return id;
}

Result<std::string> Machine::add_region(const RegionRequest& request) {
    const auto taken = [&](std::string_view name) {
        return std::ranges::find(regions_, name, &Region::name) != regions_.end() ||
               dax(dax_name_of(std::string{name})) != nullptr;
    };
    Region region;
    region.name = request.name.empty() ? free_name("region", "", taken) : request.name;
    if (taken(region.name))
        return fail(wrong(region.name, "create region", EEXIST, "there is one of that name"));
    if (dax_devices_.size() >= max_entries || regions_.size() >= max_entries) {
        return fail(wrong(region.name, "create region", ENOSPC, "there are too many"));
    }
    if (request.memdevs.empty())
        return fail(wrong(region.name, "create region", EINVAL, "no memdev is given"));
    region.type = request.kind == DaxKind::cxl_pmem ? RegionType::pmem : RegionType::ram;
    region.memdevs = request.memdevs;
    region.interleave_ways = static_cast<std::uint32_t>(request.memdevs.size());
    region.interleave_granularity = request.interleave_granularity;
    region.access = request.access == AccessCoordinates{} ? access_by(request.memdevs) : request.access;
    const Result<Bytes> room = free_on(request.memdevs, request.kind);
    if (!room) return fail(room.error());
    const Bytes most{room->value() * region.interleave_ways};
    region.size = request.size.value() == 0 ? most : request.size;
    if (region.size.value() == 0 || region.size > most) {
        return fail(wrong(region.name, "create region", ENOSPC,
                          fmt::format("the cards have {} bytes free, {} were asked for", most.value(),
                                      region.size.value())));
    }
    if (const Result<> placed = place(region, request); !placed) return fail(placed.error());
    region.generation = ++generation_;

    DaxDescription dax;
    dax.device.id.name = dax_name_of(region.name);
    dax.device.id.region = region.name;
    dax.device.kind = request.kind;
    const auto window_node = decoder_nodes_.find(region.root_decoder);
    dax.device.target_node = request.target_node.value_or(
        window_node == decoder_nodes_.end() ? unused_node() : window_node->second);
    dax.device.numa_node = NodeId{0};
    dax.device.align = Bytes{2ULL << 20};
    dax.device.ranges = {{region.resource, region.size}};
    dax.device.mode = request.mode;

    std::string name = dax.device.id.name;
    const std::string dax_region = "dax_" + region.name;
    tell(Action::add, Subsystem::cxl, region.name);
    tell(Action::add, Subsystem::cxl, dax_region);
    regions_.push_back(region);
    const bool is_late = late_dax_usec_ != 0 && postpone_;
    if (is_as_7_3() || is_late) tell(Action::bind, Subsystem::cxl, region.name);
    late_dax_.emplace(region.generation, std::move(dax));
    if (is_late) {
        postpone_(late_dax_usec_,
                  [generation = region.generation](Machine& machine) { machine.add_late_dax(generation); });
        return name;
    }
    add_late_dax(region.generation);
    if (!is_as_7_3()) tell(Action::bind, Subsystem::cxl, region.name);
    return name;
}

// What the driver of the dax region does. Its region may have gone, or lost its own driver, since.
void Machine::add_late_dax(std::uint64_t region_generation) {
    auto late = late_dax_.extract(region_generation);
    if (late.empty()) return;
    const std::string dax_region = "dax_" + late.mapped().device.id.region;
    static_cast<void>(add_dax(std::move(late.mapped())));  // unbound if its driver refuses it
    tell(Action::bind, Subsystem::cxl, dax_region);
}

void Machine::measure(DaxDevice& device) {
    device.id.start = device.ranges.front().start;
    device.resource = device.id.start;
    device.size = Bytes{};
    for (const PhysRange& range : device.ranges) device.size += range.size;
}

Result<> Machine::add_dax(DaxDescription description) {
    DaxDevice& device = description.device;
    if (find(device.id.name) != nullptr) {
        return fail(wrong(device.id.name, "add", EEXIST, "there is a device of that name"));
    }
    if (dax_devices_.size() >= max_entries)
        return fail(wrong(device.id.name, "add", ENOSPC, "there are too many"));
    if (device.ranges.empty()) return fail(wrong(device.id.name, "add", EINVAL, "it has no range"));
    device.id.generation = ++generation_;
    measure(device);
    if (is_dynamic(device.id.region)) {
        for (const PhysRange& range : device.ranges) {
            if (!extents_.contains(range.start)) name_extent(device.id.region, range.start);
        }
    }
    device.id.serials.clear();
    if (const auto region = std::ranges::find(regions_, device.id.region, &Region::name);
        region != regions_.end()) {
        for (const std::string& memdev : region->memdevs) {
            const auto it = std::ranges::find(memdevs_, memdev, &Memdev::name);
            if (it != memdevs_.end()) device.id.serials.push_back(it->serial);
        }
    }
    const DaxMode wanted = std::exchange(device.mode, DaxMode::unbound);
    const std::optional<HotplugState> state = std::exchange(device.hotplug_state, std::nullopt);
    tell(Action::add, Subsystem::dax, device.id.name);
    const std::string name = device.id.name;
    dax_devices_.push_back({.device = std::move(device)});
    Dax& added = dax_devices_.back();
    if (description.block_runs) {
        if (wanted == DaxMode::system_ram) {
            added.device.mode = wanted;
            added.state = auto_online_;
        }
        add_runs(added, description);
        if (wanted == DaxMode::system_ram && state) start_in(added, *state);
        if (added.device.mode == wanted) return {};
    }
    if (wanted == DaxMode::unbound) return {};
    if (wanted == DaxMode::system_ram) {
        auto bound = bind_kmem(added, description.blocks);
        if (bound && state) start_in(added, *state);
        return bound;
    }
    if (wanted == DaxMode::famfs) return bind_dax_device(added, wanted);
    return bind(name, wanted);
}

// The kernel unbinds, as ever without asking, and the device goes.
void Machine::remove_dax(std::string_view name) {
    const std::string copy{name};
    static_cast<void>(unbind(copy));  // ENODEV if it was bound to nothing
    if (const DaxDevice* device = dax(copy)) {
        for (const PhysRange& range : device->ranges) extents_.erase(range.start);
    }
    std::erase_if(dax_devices_, [&](const Dax& dax) { return dax.name() == copy; });
    tell(Action::remove, Subsystem::dax, copy);
}

Result<> Machine::replace_dax(std::string_view name, std::optional<PhysAddr> start) {
    const DaxDevice* old = dax(name);
    if (old == nullptr) return fail(no_such(name, "replace"));
    DaxDescription next{*old, std::nullopt};
    if (start) {
        const std::uint64_t from = old->ranges.front().start.value();
        for (PhysRange& range : next.device.ranges) {
            range.start = PhysAddr{range.start.value() - from + start->value()};
            if (range.start.value() > max_address || range.size.value() > max_address - range.start.value()) {
                return fail(wrong(name, "replace", EINVAL, "it would lie past the highest address"));
            }
        }
    }
    remove_dax(next.device.id.name);
    static_cast<void>(add_dax(std::move(next)));  // unbound if its driver refuses it
    return {};
}

}  // namespace cxlmemd::emulator
