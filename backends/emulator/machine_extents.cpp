// Dynamic capacity, after the series that was posted for the kernel and is not merged ("DCD: Add support for
// Dynamic Capacity Devices"): extents of a sparse dax region, and dax devices made of them.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

Error refused(std::string_view object, const char* operation, ErrorCode code, int errnum,
              std::string reason) {
    Error error = kernel_error(std::string{object}, operation, errnum, std::move(reason));
    error.code = code;
    return error;
}

// "dax3.1" is made of "extent3.1".
std::string extent_name(std::string_view dax) {
    return fmt::format("extent{}", dax.substr(std::min<std::size_t>(dax.size(), 3)));
}

bool overlap(const PhysRange& a, const PhysRange& b) {
    return a.start < b.end() && b.start < a.end();
}

}  // namespace

Result<std::string> Machine::add_extent(std::string_view name, std::optional<Bytes> offset, Bytes size,
                                        DaxMode mode) {
    const auto no = [&](ErrorCode code, int errnum, std::string reason) {
        return fail(refused(name, "add extent", code, errnum, std::move(reason)));
    };
    const auto region = std::ranges::find(regions_, name, &Region::name);
    if (region == regions_.end()) return no(ErrorCode::not_found, ENODEV, "there is no such region");
    if (std::ranges::find(dynamic_regions_, name) == dynamic_regions_.end()) {
        return no(ErrorCode::not_supported, EOPNOTSUPP, "its capacity is not dynamic");
    }
    if (disabled_.contains(region->generation)) return no(ErrorCode::gone, ENXIO, "it has no driver");
    if (dax_devices_.size() >= max_entries)
        return no(ErrorCode::failed, ENOSPC, "there are too many devices");
    constexpr std::uint64_t align = 2ULL << 20;
    if (size.value() == 0 || size.value() % align != 0 || offset.value_or(Bytes{}).value() % align != 0) {
        return no(ErrorCode::invalid_argument, EINVAL,
                  fmt::format("extents are multiples of {} bytes", align));
    }
    std::vector<PhysRange> taken;
    for (const Dax& dax : dax_devices_) {
        if (dax.device.id.region == name) {
            taken.insert(taken.end(), dax.device.ranges.begin(), dax.device.ranges.end());
        }
    }
    const PhysRange all{region->resource, region->size};
    const auto fits = [&](PhysAddr start) {
        const bool inside =
            start >= all.start && start < all.end() && size <= Bytes{all.end().value() - start.value()};
        const PhysRange range{start, size};
        return inside &&
               std::ranges::none_of(taken, [&](const PhysRange& other) { return overlap(range, other); });
    };
    std::vector<PhysAddr> candidates{all.start};
    for (const PhysRange& range : taken) candidates.push_back(range.end());
    std::ranges::sort(candidates);
    if (offset) {
        if (*offset >= all.size) return no(ErrorCode::invalid_argument, ERANGE, "it lies outside the region");
        candidates = {PhysAddr{all.start.value() + offset->value()}};
    }
    const auto start = std::ranges::find_if(candidates, fits);
    if (start == candidates.end()) {
        return no(ErrorCode::invalid_argument, offset ? ERANGE : ENOSPC,
                  "there is no room for it in the region");
    }

    DaxDescription made;
    const std::string_view number = name.starts_with("region") ? name.substr(6) : name;
    for (unsigned i = 0; made.device.id.name.empty(); ++i) {
        if (std::string one = fmt::format("dax{}.{}", number, i); dax(one) == nullptr) {
            made.device.id.name = std::move(one);
        }
    }
    made.device.id.region = name;
    made.device.kind = region->type == RegionType::pmem ? DaxKind::cxl_pmem : DaxKind::cxl_ram;
    const auto sibling = std::ranges::find(
        dax_devices_, name, [](const Dax& d) -> std::string_view { return d.device.id.region; });
    made.device.target_node = sibling == dax_devices_.end() ? unused_node() : sibling->device.target_node;
    made.device.numa_node = NodeId{0};
    made.device.align = Bytes{align};
    made.device.ranges = {{*start, size}};
    made.device.mode = mode;
    std::string dax_name = made.device.id.name;
    tell(Action::add, Subsystem::cxl, extent_name(dax_name));
    static_cast<void>(add_dax(std::move(made)));  // unbound if its driver refuses it
    return dax_name;
}

Result<> Machine::release_extent(std::string_view name, bool force) {
    const DaxDevice* device = dax(name);
    const auto no = [&](ErrorCode code, int errnum, std::string reason) {
        return fail(refused(name, "release extent", code, errnum, std::move(reason)));
    };
    if (device == nullptr) return no(ErrorCode::not_found, ENODEV, "there is no such device");
    if (std::ranges::find(dynamic_regions_, device->id.region) == dynamic_regions_.end()) {
        return no(ErrorCode::not_supported, EOPNOTSUPP, "it is not made of an extent");
    }
    if (!force && device->mode != DaxMode::unbound) {
        return no(ErrorCode::busy, EBUSY, fmt::format("it is in use, as {}", to_string(device->mode)));
    }
    const std::string extent = extent_name(name);
    remove_dax(name);
    tell(Action::remove, Subsystem::cxl, extent);
    return {};
}

}  // namespace cxlmemd::emulator
