#include "backends/linux/dax_scan.h"

#include <daxctl/libdaxctl.h>

#include <algorithm>
#include <cstdarg>
#include <limits>
#include <map>
#include <memory>

#include "backends/linux/sysfs.h"

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
std::optional<DaxDevice> device_of(const LinuxPaths& paths, daxctl_dev* dev) {
    DaxDevice out;
    out.id.name = daxctl_dev_get_devname(dev);
    out.target_node = NodeId{daxctl_dev_get_target_node(dev)};
    out.size = Bytes{daxctl_dev_get_size(dev)};
    out.resource = PhysAddr{daxctl_dev_get_resource(dev)};
    out.align = Bytes{daxctl_dev_get_align(dev)};
    out.ranges = read_dax_ranges(paths, out.id.name);
    out.numa_node =
        NodeId{sysfs::read_int(paths.dax_devices() + "/" + out.id.name + "/numa_node").value_or(-1)};
    const auto mode = read_dax_mode(paths, out.id.name);
    const auto generation = read_dax_generation(paths, out.id.name);
    if (!mode || !generation || out.ranges.empty()) return std::nullopt;
    out.mode = *mode;
    out.id.start = out.ranges.front().start;
    out.id.generation = *generation;
    // The attribute says what is wanted; without the boot parameter the kernel takes no notice of it.
    out.memmap_on_memory =
        sysfs::read_number(paths.dax_devices() + "/" + out.id.name + "/memmap_on_memory") == 1U &&
        sysfs::read(paths.sys + "/module/memory_hotplug/parameters/memmap_on_memory").value_or("N") == "Y";
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

std::optional<DaxMode> read_dax_mode(const LinuxPaths& paths, const std::string& name) {
    const std::string folder = paths.dax_devices() + "/" + name;
    const auto driver = sysfs::link_name(folder + "/driver");
    if (!driver) return sysfs::exists(folder) ? std::optional{DaxMode::unbound} : std::nullopt;
    if (*driver == "kmem") return DaxMode::system_ram;
    if (*driver == "fsdev_dax") return DaxMode::famfs;
    return DaxMode::devdax;  // device_dax, and what is unknown is not memory of the kernel's
}

std::optional<std::uint64_t> read_dax_generation(const LinuxPaths& paths, const std::string& name) {
    return sysfs::inode(paths.dax_devices() + "/" + name);
}

std::vector<PhysRange> read_dax_ranges(const LinuxPaths& paths, const std::string& name) {
    const std::string folder = paths.dax_devices() + "/" + name;
    std::map<std::uint64_t, PhysRange> mappings;
    for (const std::string& entry : sysfs::names_in(folder)) {
        const auto number = sysfs::number_after(entry, "mapping");
        if (!number) continue;
        std::string mapping = folder;
        mapping.append("/").append(entry);
        const auto start = sysfs::read_number(mapping + "/start");
        const auto end = sysfs::read_number(mapping + "/end");  // the last byte
        if (start && end && *end >= *start && *end != std::numeric_limits<std::uint64_t>::max()) {
            mappings[*number] = {PhysAddr{*start}, Bytes{*end - *start + 1}};
        }
    }
    std::vector<PhysRange> out;
    out.reserve(mappings.size());
    for (const auto& [number, range] : mappings) out.push_back(range);
    if (!out.empty()) return out;
    const auto start = sysfs::read_number(folder + "/resource");
    const auto size = sysfs::read_number(folder + "/size");
    if (start && size && *size != 0 && *start + *size > *start)
        out.push_back({PhysAddr{*start}, Bytes{*size}});
    return out;
}

Result<DaxScan> scan_dax(const LinuxPaths& paths, const std::vector<Region>& regions,
                         const std::vector<Memdev>& memdevs) {
    DaxScan out;
    if (!sysfs::exists(paths.dax_devices())) return out;
    const auto context = open_context();
    if (!context) return tl::unexpected(context.error());
    visit_devices(context->get(), [&](daxctl_dev* dev, const DaxPlace& place) {
        auto device = device_of(paths, dev);
        if (!device) return;
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
    visit_devices(context->get(), [&](daxctl_dev* dev, const DaxPlace& place) {
        if (name != daxctl_dev_get_devname(dev)) return;
        out = device_of(paths, dev);
        if (!out) return;
        out->kind = kind_without_region(place.parent);
        out->id.region = place.region;
    });
    return out;
}

}  // namespace cxlmemd
