// SPDX-License-Identifier: LGPL-2.1-or-later
// Dynamic capacity, after the series that was posted for the kernel and is not merged ("DCD: Add support for
// Dynamic Capacity Devices"): extents of a sparse dax region, and dax devices made of them, a range for each.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

constexpr std::uint64_t align = 2ULL << 20;

Error refused(std::string_view object, const char* operation, ErrorCode code, int errnum,
              std::string reason) {
    Error error = kernel_error(std::string{object}, operation, errnum, std::move(reason));
    error.code = code;
    return error;
}

// "region3" and its devices "dax3.0" and extents "extent3.0" have a number in common.
std::string_view number_of(std::string_view region) {
    return region.starts_with("region") ? region.substr(6) : region;
}

}  // namespace

bool Machine::is_dynamic(std::string_view region) const {
    return std::ranges::find(dynamic_regions_, region) != dynamic_regions_.end();
}

// The lowest number that no extent of the region has.
void Machine::name_extent(const std::string& region, PhysAddr start) {
    std::set<std::string_view> taken;
    for (const auto& [at, name] : extents_) taken.insert(name);
    for (unsigned i = 0;; ++i) {
        std::string name = fmt::format("extent{}.{}", number_of(region), i);
        if (taken.contains(name)) continue;
        extents_.emplace(start, std::move(name));
        return;
    }
}

// Where the extents of the request come to lie, in order; each in the lowest gap unless an offset is given.
Result<std::vector<PhysRange>> Machine::place_extents(const Region& region,
                                                      const ExtentRequest& request) const {
    const auto no = [&](int errnum, std::string reason) {
        return fail(
            refused(region.name, "add extent", ErrorCode::invalid_argument, errnum, std::move(reason)));
    };
    const std::uint64_t size = request.size.value();
    std::vector<PhysRange> taken;
    for (const Dax& dax : dax_devices_) {
        if (dax.device.id.region != region.name) continue;
        taken.insert(taken.end(), dax.device.ranges.begin(), dax.device.ranges.end());
    }
    const std::uint64_t end = region.resource.value() + region.size.value();
    if (request.offset) {
        if (*request.offset >= region.size) return no(ERANGE, "it lies outside the region");
        const PhysRange range{PhysAddr{region.resource.value() + request.offset->value()}, request.size};
        if (size > end - range.start.value() ||
            std::ranges::any_of(taken, [&](const PhysRange& other) { return overlap(range, other); }))
            return no(ERANGE, "there is no room for it in the region");
        return std::vector<PhysRange>{range};
    }
    std::ranges::sort(taken, {}, &PhysRange::start);
    std::vector<PhysRange> placed;
    std::uint64_t start = region.resource.value();
    for (auto next = taken.begin(); placed.size() < request.count;) {
        const std::uint64_t gap_end = next == taken.end() ? end : std::min(end, next->start.value());
        if (start < gap_end && size <= gap_end - start) {
            placed.push_back({PhysAddr{start}, request.size});
            start += size;
        } else if (next == taken.end()) {
            return no(ENOSPC, "there is no room for it in the region");
        } else {
            start = std::max(start, (next++)->end().value());
        }
    }
    return placed;
}

Result<std::string> Machine::add_extents(const ExtentRequest& request) {
    const auto no = [&](const std::string& object, ErrorCode code, int errnum, std::string reason) {
        return fail(refused(object, "add extent", code, errnum, std::move(reason)));
    };
    Dax* const joined = request.dax.empty() ? nullptr : find(request.dax);
    if (joined == nullptr && !request.dax.empty())
        return no(request.dax, ErrorCode::not_found, ENODEV, "there is no such device");
    const std::string name = joined == nullptr ? request.region : joined->device.id.region;
    const auto region = std::ranges::find(regions_, name, &Region::name);
    if (region == regions_.end()) {
        return no(joined == nullptr ? name : request.dax, ErrorCode::not_found, ENODEV,
                  "there is no such region");
    }
    if (!is_dynamic(name))
        return no(name, ErrorCode::not_supported, EOPNOTSUPP, "its capacity is not dynamic");
    if (disabled_.contains(region->generation)) return no(name, ErrorCode::gone, ENXIO, "it has no driver");
    if (request.size.value() == 0 || request.size.value() % align != 0 ||
        request.offset.value_or(Bytes{}).value() % align != 0) {
        return no(name, ErrorCode::invalid_argument, EINVAL,
                  fmt::format("extents are multiples of {} bytes", align));
    }
    const std::size_t ranges = joined == nullptr ? 0 : joined->device.ranges.size();
    if (request.count == 0 || request.count > max_ranges - std::min(ranges, max_ranges))
        return no(name, ErrorCode::failed, ENOSPC, "there are too many extents in one device");
    // drivers/dax/bus.c, dev_dax_resize(): not while a driver is bound.
    const bool is_kmems = joined != nullptr && joined->device.mode == DaxMode::system_ram && live_extents_;
    if (joined != nullptr && joined->device.mode != DaxMode::unbound && !is_kmems) {
        return no(request.dax, ErrorCode::busy, EBUSY,
                  fmt::format("it is in use, as {}", to_string(joined->device.mode)));
    }
    const auto placed = place_extents(*region, request);
    if (!placed) return fail(placed.error());
    if (joined == nullptr) return make_of_extents(*region, *placed, request.mode);
    for (const PhysRange& range : *placed) {
        name_extent(name, range.start);
        tell(Action::add, Subsystem::cxl, extents_[range.start]);
        joined->device.ranges.push_back(range);
        measure(joined->device);
        // What kmem cannot add is not there, and it goes on without.
        if (is_kmems && joined->state)
            static_cast<void>(add_range(*joined, joined->device.ranges.size() - 1, auto_online_, {}));
    }
    return request.dax;
}

// All of them in one device, in this order, as the series does it with the extents of one tag.
Result<std::string> Machine::make_of_extents(const Region& region, const std::vector<PhysRange>& ranges,
                                             DaxMode mode) {
    if (dax_devices_.size() >= max_entries) {
        return fail(
            refused(region.name, "add extent", ErrorCode::failed, ENOSPC, "there are too many devices"));
    }
    DaxDescription made;
    for (unsigned i = 0; made.device.id.name.empty(); ++i) {
        if (std::string one = fmt::format("dax{}.{}", number_of(region.name), i); dax(one) == nullptr)
            made.device.id.name = std::move(one);
    }
    made.device.id.region = region.name;
    made.device.kind = region.type == RegionType::pmem ? DaxKind::cxl_pmem : DaxKind::cxl_ram;
    const auto sibling =
        std::ranges::find(dax_devices_, region.name, [](const Dax& d) { return d.device.id.region; });
    made.device.target_node = sibling == dax_devices_.end() ? unused_node() : sibling->device.target_node;
    made.device.numa_node = NodeId{0};
    made.device.align = Bytes{align};
    made.device.ranges = ranges;
    made.device.mode = mode;
    std::string name = made.device.id.name;
    for (const PhysRange& range : ranges) {
        name_extent(region.name, range.start);
        tell(Action::add, Subsystem::cxl, extents_[range.start]);
    }
    static_cast<void>(add_dax(std::move(made)));  // unbound if its driver refuses it
    return name;
}

Result<> Machine::release_extent(std::string_view name, std::optional<std::size_t> nth, bool force) {
    Dax* const found = find(name);
    const auto no = [&](ErrorCode code, int errnum, std::string reason) {
        return fail(refused(name, "release extent", code, errnum, std::move(reason)));
    };
    if (found == nullptr) return no(ErrorCode::not_found, ENODEV, "there is no such device");
    const DaxDevice& device = found->device;
    if (!is_dynamic(device.id.region))
        return no(ErrorCode::not_supported, EOPNOTSUPP, "it is not made of an extent");
    if (nth && *nth >= device.ranges.size()) {
        return no(ErrorCode::invalid_argument, ERANGE,
                  fmt::format("it has {} extents", device.ranges.size()));
    }
    if (!force) {
        if (auto idle = is_idle(*found, nth); !idle) return idle;
    }
    if (nth && device.ranges.size() > 1) {
        take_range(*found, *nth);
        return {};
    }
    const std::vector<PhysRange> ranges = device.ranges;
    std::vector<std::string> names;
    for (const PhysRange& range : ranges) names.push_back(extents_[range.start]);
    remove_dax(name);
    for (std::string& extent : names) tell(Action::remove, Subsystem::cxl, std::move(extent));
    return {};
}

// Whether the host could do without the extent, or without all of them.
Result<> Machine::is_idle(const Dax& dax, std::optional<std::size_t> nth) const {
    const DaxDevice& device = dax.device;
    const auto busy = [&](std::string reason) {
        return fail(refused(device.id.name, "release extent", ErrorCode::busy, EBUSY, std::move(reason)));
    };
    if (device.mode == DaxMode::unbound) return {};
    if (device.mode != DaxMode::system_ram || !live_extents_)
        return busy(fmt::format("it is in use, as {}", to_string(device.mode)));
    bool others = false;
    for (std::size_t i = 0; i < device.ranges.size(); ++i) {
        const MemoryBlocks::Span span = span_of(device.ranges[i]);
        if (nth && i != *nth) {
            others = others || span.count != 0;
            continue;
        }
        if (const auto online = blocks_.online(span, 1); !online.empty())
            return busy(fmt::format("memory block {} of it is online", online.front().value()));
        if (!features_.memory_hotremove && blocks_.overlaps(span))
            return busy("this kernel cannot remove memory");
    }
    if (nth && device.ranges.size() > 1 && !others) return busy("kmem would have no memory left");
    return {};
}

// One range leaves the device, with its blocks; those that are online are lost until reboot.
void Machine::take_range(Dax& dax, std::size_t nth) {
    const PhysRange range = dax.device.ranges[nth];
    const PhysRange whole = span_of(range).count == 0 ? range : range_of(span_of(range));
    const bool is_kmems = dax.device.mode == DaxMode::system_ram;
    for (auto held = dax.held.begin(); held != dax.held.end(); ++held) {
        if (*held != (is_kmems ? whole : range)) continue;
        if (is_kmems && !remove_blocks(span_of(*held))) {
            message(fmt::format("kmem {}: mapping{}: {:#x}-{:#x} cannot be hotremoved until the next reboot",
                                dax.name(), nth, held->start.value(), held->end().value() - 1));
        } else {
            release(*held);
        }
        dax.held.erase(held);
        break;
    }
    dax.device.ranges.erase(dax.device.ranges.begin() + static_cast<std::ptrdiff_t>(nth));
    measure(dax.device);
    if (is_kmems && whole_spans(dax.device).empty()) static_cast<void>(unbind(dax.name()));
    tell(Action::remove, Subsystem::cxl, extents_[range.start]);
    extents_.erase(range.start);
}

}  // namespace cxlmemd::emulator
