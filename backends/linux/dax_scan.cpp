// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/dax_scan.h"

#include <daxctl/libdaxctl.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <map>
#include <memory>

#include "backends/linux/sysfs.h"
#include "policy/uuid.h"

namespace cxlmemd {

namespace {

using Context = std::unique_ptr<daxctl_ctx, void (*)(daxctl_ctx*)>;

void say_nothing(daxctl_ctx*, int, const char*, int, const char*, const char*, va_list) {}

Result<Context> open_context() {
    daxctl_ctx* raw = nullptr;
    if (const int status = daxctl_new(&raw); status != 0) {
        return fail({.code = ErrorCode::failed,
                     .object = "libdaxctl",
                     .operation = "open",
                     .errnum = -status,
                     .reason = "the library could not be set up",
                     .advice = {}});
    }
    Context context(raw, [](daxctl_ctx* old) { daxctl_unref(old); });
    daxctl_set_log_fn(context.get(), say_nothing);
    return context;
}

// nullopt for a device that has gone since it was listed, and for a seed: one without memory, which waits
// for somebody to give it a size.
tl::expected<std::optional<DaxDevice>, MappingProblem> device_of(const LinuxPaths& paths, daxctl_dev* dev) {
    DaxDevice out;
    out.id.name = daxctl_dev_get_devname(dev);
    out.target_node = NodeId{daxctl_dev_get_target_node(dev)};
    out.size = Bytes{daxctl_dev_get_size(dev)};
    out.resource = PhysAddr{daxctl_dev_get_resource(dev)};
    out.align = Bytes{daxctl_dev_get_align(dev)};
    auto ranges = read_dax_ranges(paths, out.id.name);
    if (!ranges) return tl::unexpected(std::move(ranges.error()));
    out.ranges = std::move(*ranges);
    out.numa_node =
        NodeId{sysfs::read_int(paths.dax_devices() + "/" + out.id.name + "/numa_node").value_or(-1)};
    const auto mode = read_dax_mode(paths, out.id.name);
    const auto generation = read_dax_generation(paths, out.id.name);
    if (!mode && !sysfs::is_absence(mode.error()))
        return tl::unexpected(MappingProblem{"driver", mode.error()});
    if (!mode || !generation || out.ranges.empty()) return std::optional<DaxDevice>{};
    out.mode = *mode;
    out.id.start = out.ranges.front().start;
    out.id.generation = *generation;
    // The attribute says what is wanted; without the boot parameter the kernel takes no notice of it.
    out.memmap_on_memory =
        sysfs::read_number(paths.dax_devices() + "/" + out.id.name + "/memmap_on_memory") == 1U &&
        sysfs::read(paths.sys + "/module/memory_hotplug/parameters/memmap_on_memory").value_or("N") == "Y";
    out.nvdimm_uuid = read_nvdimm_uuid(paths, out.id.name);
    if (out.mode == DaxMode::system_ram) {
        const auto state = sysfs::read(paths.dax_devices() + "/" + out.id.name + "/state");
        if (state) out.hotplug_state = hotplug_state_from(*state);
    }
    return out;
}

template <class Visit>
void visit_devices(daxctl_ctx* context, Visit visit) {
    for (daxctl_region* r = daxctl_region_get_first(context); r != nullptr; r = daxctl_region_get_next(r)) {
        for (daxctl_dev* dev = daxctl_dev_get_first(r); dev != nullptr; dev = daxctl_dev_get_next(dev)) {
            visit(dev, dax_place(std::string(daxctl_region_get_path(r)) + "/" + daxctl_dev_get_devname(dev)));
        }
    }
}

const Region* region_of(const DaxPlace& place, const DaxDevice& device, const std::vector<Region>& regions) {
    const auto it = std::ranges::find_if(regions, [&](const Region& region) {
        if (place.parent == DaxPlace::Parent::cxl_region) return region.name == place.region;
        // Through the nvdimm bus the path forgets the cxl region: its addresses tell.
        const std::uint64_t offset = device.id.start.value() - region.resource.value();
        return device.id.start >= region.resource && offset < region.size.value();
    });
    return it == regions.end() ? nullptr : &*it;
}

void place_below(DaxDevice& device, const Region& region, const std::vector<Memdev>& memdevs) {
    device.kind = region.type == RegionType::pmem ? DaxKind::cxl_pmem : DaxKind::cxl_ram;
    device.id.region = region.name;
    for (const std::string& name : region.memdevs) {
        const auto memdev = std::ranges::find(memdevs, name, &Memdev::name);
        if (memdev != memdevs.end()) device.id.serials.push_back(memdev->serial);
    }
}

// It lies somewhere: in its region, if it has one.
Unreadable unknown_place(const std::string& name, const DaxPlace& place, const std::vector<Region>& regions,
                         const MappingProblem& problem) {
    Unreadable out{
        .what = name + ": " + problem.part, .where = std::nullopt, .memdev = {}, .errnum = problem.errnum};
    const auto region = std::ranges::find(regions, place.region, &Region::name);
    if (region != regions.end() && region->size.value() != 0)
        out.where = PhysRange{region->resource, region->size};
    return out;
}

DaxKind kind_without_region(DaxPlace::Parent parent) {
    switch (parent) {
        case DaxPlace::Parent::cxl_region: return DaxKind::cxl_ram;
        case DaxPlace::Parent::cxl_nvdimm: return DaxKind::cxl_pmem;
        case DaxPlace::Parent::hmem: return DaxKind::hmem;
        case DaxPlace::Parent::other: return DaxKind::pmem;
    }
    return DaxKind::pmem;
}

}  // namespace

DaxPlace dax_place(std::string_view device_path) {
    std::string_view before;
    while (!device_path.empty()) {
        const std::string_view part = device_path.substr(0, device_path.find('/'));
        device_path.remove_prefix(std::min(device_path.size(), part.size() + 1));
        // An nvdimm region is a regionN too, but not below a cxl decoder.
        if (part.starts_with("region") && before.starts_with("decoder")) {
            return {DaxPlace::Parent::cxl_region, std::string(part)};
        }
        if (part.starts_with("nvdimm-bridge")) return {DaxPlace::Parent::cxl_nvdimm, {}};
        if (part.starts_with("hmem.")) return {DaxPlace::Parent::hmem, {}};
        before = part;
    }
    return {};
}

sysfs::OrErrno<DaxMode> read_dax_mode(const LinuxPaths& paths, const std::string& name) {
    const std::string folder = paths.dax_devices() + "/" + name;
    const auto driver = sysfs::link_or_errno(folder + "/driver");
    if (!driver && !sysfs::is_absence(driver.error())) return tl::unexpected(driver.error());
    if (!driver) {
        if (sysfs::exists(folder)) return DaxMode::unbound;
        return tl::unexpected(ENODEV);
    }
    if (*driver == "kmem") return DaxMode::system_ram;
    if (*driver == "fsdev_dax") return DaxMode::famfs;
    return DaxMode::devdax;  // device_dax, and what is unknown is not memory of the kernel's
}

std::string read_nvdimm_uuid(const LinuxPaths& paths, const std::string& name) {
    const auto text = sysfs::read(paths.dax_devices() + "/" + name + "/../uuid");
    return uuid_from(text.value_or("")).value_or("");
}

std::optional<std::uint64_t> read_dax_generation(const LinuxPaths& paths, const std::string& name) {
    return sysfs::inode(paths.dax_devices() + "/" + name);
}

namespace {

// x86 has at most 52 bits of physical address, arm64 and riscv no more than 56: what lies beyond is no
// address.
constexpr std::uint64_t address_end = 1ULL << 56;

// nullopt if one of the two is not there.
tl::expected<std::optional<PhysRange>, MappingProblem> read_range(const std::string& folder,
                                                                  const std::string& first,
                                                                  const std::string& second, bool is_end) {
    std::uint64_t values[2] = {};
    for (const bool nth : {false, true}) {
        const std::string& part = nth ? second : first;
        const auto value = sysfs::number_or_errno(folder + "/" + part);
        if (!value && sysfs::is_absence(value.error())) return std::optional<PhysRange>{};
        if (!value) return tl::unexpected(MappingProblem{part, value.error()});
        values[nth ? 1 : 0] = *value;
    }
    const auto [start, other] = values;
    if (!is_end && other == 0) return std::optional<PhysRange>{};
    if (start >= address_end || other >= address_end || (is_end && other < start))
        return tl::unexpected(MappingProblem{second, 0});
    return PhysRange{PhysAddr{start}, Bytes{is_end ? other - start + 1 : other}};
}

}  // namespace

tl::expected<std::vector<PhysRange>, MappingProblem> read_dax_ranges(const LinuxPaths& paths,
                                                                     const std::string& name) {
    const std::string folder = paths.dax_devices() + "/" + name;
    std::vector<PhysRange> out;
    const auto entries = sysfs::list(folder);
    if (!entries && sysfs::is_absence(entries.error())) return out;
    if (!entries) return tl::unexpected(MappingProblem{"mappings", entries.error()});
    std::map<std::uint64_t, PhysRange> mappings;
    for (const std::string& entry : *entries) {
        const auto number = sysfs::number_after(entry, "mapping");
        if (!number) continue;
        const auto range = read_range(folder, entry + "/start", entry + "/end", true);  // the last byte
        if (!range) return tl::unexpected(range.error());
        if (*range) mappings[*number] = **range;
    }
    out.reserve(mappings.size());
    for (const auto& [number, range] : mappings) out.push_back(range);
    if (!out.empty()) return out;
    const auto whole = read_range(folder, "resource", "size", false);
    if (!whole) return tl::unexpected(whole.error());
    if (*whole) out.push_back(**whole);
    return out;
}

Error mapping_error(const std::string& dax, const std::string& operation, const MappingProblem& problem) {
    return {.code = problem.errnum == EINTR ? ErrorCode::canceled : ErrorCode::failed,
            .object = dax,
            .operation = operation,
            .errnum = problem.errnum,
            .reason = "cannot tell where its memory lies: " + problem.part +
                      (problem.errnum == 0 ? " makes no sense" : " cannot be read"),
            .advice = {}};
}

Result<DaxScan> scan_dax(const LinuxPaths& paths, const std::vector<Region>& regions,
                         const std::vector<Memdev>& memdevs) {
    DaxScan out;
    if (!sysfs::exists(paths.dax_devices())) return out;
    const auto context = open_context();
    if (!context) return tl::unexpected(context.error());
    visit_devices(context->get(), [&](daxctl_dev* dev, const DaxPlace& place) {
        auto read = device_of(paths, dev);
        if (!read) {
            out.unreadable.push_back(
                unknown_place(daxctl_dev_get_devname(dev), place, regions, read.error()));
            return;
        }
        if (!*read) return;
        auto device = std::move(*read);
        device->kind = kind_without_region(place.parent);
        const bool of_cxl =
            place.parent == DaxPlace::Parent::cxl_region || place.parent == DaxPlace::Parent::cxl_nvdimm;
        const Region* region = of_cxl ? region_of(place, *device, regions) : nullptr;
        if (region != nullptr) place_below(*device, *region, memdevs);
        (of_cxl && region == nullptr ? out.unknown_region : out.devices).push_back(std::move(*device));
    });
    std::ranges::sort(out.devices, {}, [](const DaxDevice& device) { return device.id.name; });
    return out;
}

Result<std::optional<DaxDevice>> read_dax(const LinuxPaths& paths, const std::string& name) {
    std::optional<DaxDevice> out;
    if (!sysfs::exists(paths.dax_devices() + "/" + name)) return out;
    const auto context = open_context();
    if (!context) return tl::unexpected(context.error());
    std::optional<MappingProblem> problem;
    visit_devices(context->get(), [&](daxctl_dev* dev, const DaxPlace& place) {
        if (name != daxctl_dev_get_devname(dev)) return;
        auto read = device_of(paths, dev);
        if (!read) {
            problem = read.error();
            return;
        }
        out = std::move(*read);
        if (!out) return;
        out->kind = kind_without_region(place.parent);
        out->id.region = place.region;
    });
    if (problem) return fail(mapping_error(name, "scan", *problem));
    return out;
}

}  // namespace cxlmemd
