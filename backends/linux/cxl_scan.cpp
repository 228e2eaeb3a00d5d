// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/cxl_scan.h"

#include <cxl/libcxl.h>

#include <algorithm>
#include <cstdarg>
#include <limits>
#include <memory>

#include "backends/linux/cxl_ports.h"
#include "backends/linux/libcxl_compat.h"
#include "backends/linux/nodes.h"
#include "backends/linux/region_sysfs.h"
#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

using Context = std::unique_ptr<cxl_ctx, void (*)(cxl_ctx*)>;

// The library's own messages go nowhere: only daemon/ logs, and a device that vanishes is no error.
void say_nothing(cxl_ctx*, int, const char*, int, const char*, const char*, va_list) {}

std::string text_or_empty(const char* text) {
    return text != nullptr ? text : "";
}

// libcxl says "unreadable" with the largest number of the type; the kernel says "no place yet" so.
constexpr unsigned long long unknown = std::numeric_limits<unsigned long long>::max();

Bytes known_size(unsigned long long size) {
    return Bytes{size == unknown ? 0 : size};
}

std::uint32_t known_count(unsigned int count) {
    return count == std::numeric_limits<unsigned int>::max() ? 0 : count;
}

class Scanner final {
 public:
    Scanner(const LinuxPaths& paths, cxl_ctx* context)
        : paths_(paths), context_(context), endpoints_(read_endpoints(paths)) {}

    CxlScan run() {
        for (cxl_memdev* m = cxl_memdev_get_first(context_); m != nullptr; m = cxl_memdev_get_next(m)) add(m);
        for (cxl_bus* bus = cxl_bus_get_first(context_); bus != nullptr; bus = cxl_bus_get_next(bus)) {
            cxl_port* root = cxl_bus_get_port(bus);
            for (cxl_decoder* d = cxl_decoder_get_first(root); d != nullptr; d = cxl_decoder_get_next(d))
                add(d);
        }
        note_missing_regions();
        std::ranges::sort(found_.endpoint_decoders, {}, &EndpointDecoder::name);
        std::ranges::sort(found_.memdevs, {}, &Memdev::name);
        std::ranges::sort(found_.root_decoders, {}, &RootDecoder::name);
        std::ranges::sort(found_.regions, {}, &Region::name);
        return std::move(found_);
    }

 private:
    [[nodiscard]] std::string folder(const std::string& name) const {
        return paths_.cxl_devices() + "/" + name;
    }

    void add(cxl_memdev* memdev) {
        Memdev out{.name = cxl_memdev_get_devname(memdev),
                   .serial = cxl_memdev_get_serial(memdev),
                   .host = text_or_empty(cxl_memdev_get_host(memdev)),
                   .numa_node = NodeId{cxl_memdev_get_numa_node(memdev)},
                   .ram_size = known_size(cxl_memdev_get_ram_size(memdev)),
                   .pmem_size = known_size(cxl_memdev_get_pmem_size(memdev)),
                   .firmware = text_or_empty(cxl_memdev_get_firmware_version(memdev))};
        const auto generation = sysfs::inode(folder(out.name));
        if (!generation) return;  // it has gone since
        out.generation = *generation;
        for (const auto& [part, size] : {std::pair{"ram/size", cxl_memdev_get_ram_size(memdev)},
                                         std::pair{"pmem/size", cxl_memdev_get_pmem_size(memdev)}}) {
            if (size == unknown) note_unread(out.name, part, std::nullopt, out.name);
        }
        const auto endpoint = endpoints_.find(out.name);
        out.has_endpoint = endpoint != endpoints_.end();
        if (out.has_endpoint) {
            out.bridge = bridge_above(endpoint->second);
            DecoderScan scan = read_decoders(out.name, endpoint->second);
            std::ranges::move(scan.decoders, std::back_inserter(found_.endpoint_decoders));
            std::ranges::move(scan.unreadable, std::back_inserter(found_.unreadable));
        }
        found_.memdevs.push_back(std::move(out));
    }

    // Notes that an attribute cannot be read, unless it is not there.
    void note_unread(const std::string& device, const std::string& part, std::optional<PhysRange> where,
                     const std::string& memdev) {
        const auto text = sysfs::read(folder(device) + "/" + part);
        if (!text && sysfs::is_absence(text.error())) return;
        found_.unreadable.push_back({.what = device + ": " + part,
                                     .where = where,
                                     .memdev = memdev,
                                     .errnum = text ? 0 : text.error()});
    }

    // libcxl leaves out a region of which it could not read some attribute.
    void note_missing_regions() {
        const auto names = sysfs::list(paths_.cxl_devices());
        if (!names) {
            found_.unreadable.push_back({.what = "the devices of the CXL bus",
                                         .where = std::nullopt,
                                         .memdev = {},
                                         .errnum = names.error()});
        }
        for (const std::string& name : names.value_or(std::vector<std::string>{})) {
            if (!sysfs::number_after(name, "region")) continue;
            if (std::ranges::find(found_.regions, name, &Region::name) != found_.regions.end()) continue;
            note_unread(name, "size", std::nullopt, {});
        }
    }

    void add(cxl_decoder* decoder) {
        RootDecoder out{
            .name = cxl_decoder_get_devname(decoder),
            .window = {PhysAddr{cxl_decoder_get_resource(decoder)},
                       known_size(cxl_decoder_get_size(decoder))},
            .volatile_capable = cxl_decoder_is_volatile_capable(decoder),
            .pmem_capable = cxl_decoder_is_pmem_capable(decoder),
            .qos_class = libcxl::qos_class(paths_, decoder),
            .interleave_ways = known_count(cxl_decoder_get_interleave_ways(decoder)),
            .interleave_granularity = known_count(cxl_decoder_get_interleave_granularity(decoder)),
            .memdevs = memdevs_below(paths_, cxl_decoder_get_devname(decoder), endpoints_),
            .targets = bridges_of(paths_, cxl_decoder_get_devname(decoder))};
        if (!sysfs::exists(folder(out.name))) return;
        if (cxl_decoder_get_resource(decoder) == unknown || cxl_decoder_get_size(decoder) == unknown) {
            out.window = {};
            note_unread(out.name, "start", std::nullopt, {});
        }
        for (cxl_region* r = cxl_region_get_first(decoder); r != nullptr; r = cxl_region_get_next(r))
            add(r, out);
        found_.root_decoders.push_back(std::move(out));
    }

    void add(cxl_region* region, const RootDecoder& root) {
        const std::string name = cxl_region_get_devname(region);
        // libcxl's own way to them reads every port and decoder of the machine.
        const auto targets = read_targets(paths_, name);
        Region out{.name = name,
                   .type = libcxl::region_type(paths_, region),
                   .resource = PhysAddr{cxl_region_get_resource(region)},
                   .size = known_size(cxl_region_get_size(region)),
                   .interleave_ways = known_count(cxl_region_get_interleave_ways(region)),
                   .interleave_granularity = known_count(cxl_region_get_interleave_granularity(region)),
                   .root_decoder = root.name,
                   .memdevs = {},
                   .qos_class = root.qos_class,
                   .access = read_coordinates(folder(name) + "/access0")};
        const auto generation = sysfs::inode(folder(out.name));
        if (!generation) return;
        out.generation = *generation;
        if (cxl_region_get_size(region) == unknown) note_unread(name, "size", root.window, {});
        for (const RegionTarget& target : targets.list) {
            const bool known =
                std::ranges::find(found_.memdevs, target.memdev, &Memdev::name) != found_.memdevs.end();
            if (known) {
                out.memdevs.push_back(target.memdev);
            } else {
                out.members_known = false;  // it has come or gone since
            }
        }
        if (targets.unread) {
            out.members_known = false;
            found_.unreadable.push_back(*targets.unread);
            if (out.size.value() != 0) found_.unreadable.back().where = PhysRange{out.resource, out.size};
        }
        const auto above = read_above(paths_, name, targets.list);
        const auto locked = any_locked(paths_, targets.list);
        const int errnum = !above ? above.error() : !locked ? locked.error() : -1;
        if (errnum != -1) {
            found_.unreadable.push_back({.what = name + ": what its decoders are used for",
                                         .where = PhysRange{out.resource, out.size},
                                         .memdev = {},
                                         .errnum = errnum});
        }
        out.destroyed_first = above.value_or(std::vector<std::string>{});
        out.locked = locked.value_or(true);
        const auto is_bound = sysfs::is_there(folder(name) + "/driver");
        if (!is_bound) {
            found_.unreadable.push_back({.what = name + ": whether a driver has it",
                                         .where = PhysRange{out.resource, out.size},
                                         .memdev = {},
                                         .errnum = is_bound.error()});
        }
        out.disabled = is_bound && !*is_bound;
        found_.regions.push_back(std::move(out));
    }

    const LinuxPaths& paths_;
    cxl_ctx* context_;
    Endpoints endpoints_;
    CxlScan found_;
};

}  // namespace

Result<CxlScan> scan_cxl(const LinuxPaths& paths) {
    if (!sysfs::exists(paths.cxl_devices())) return CxlScan{};
    cxl_ctx* raw = nullptr;
    if (const int status = cxl_new(&raw); status != 0) {
        return fail({.code = ErrorCode::failed,
                     .object = "libcxl",
                     .operation = "open",
                     .errnum = -status,
                     .reason = "the library could not be set up",
                     .advice = {}});
    }
    const Context context(raw, [](cxl_ctx* old) { cxl_unref(old); });
    cxl_set_log_fn(context.get(), say_nothing);
    return Scanner(paths, context.get()).run();
}

}  // namespace cxlmemd
