// SPDX-License-Identifier: LGPL-2.1-or-later
// Dax devices, by libdaxctl, with what the library does not say (or not for one device alone) from sysfs: the
// driver, the ranges, the node they hang on, the generation (Documentation/ABI/testing/sysfs-bus-dax).
// Worker thread.
//
// libdaxctl leaves out a device whose /dev/daxX.Y it cannot stat: the service may not have a private /dev.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/linux/paths.h"
#include "backends/linux/sysfs.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

// What a dax device hangs below, by the path of its folder. Pure.
struct DaxPlace {
    enum class Parent : std::uint8_t { cxl_region, cxl_nvdimm, hmem, other };
    Parent parent = Parent::other;
    std::string region;  // with cxl_region

    bool operator==(const DaxPlace&) const = default;
};
[[nodiscard]] DaxPlace dax_place(std::string_view device_path);

// The driver a device is bound to: ENODEV if there is no such device, another errno if it cannot be told.
[[nodiscard]] sysfs::OrErrno<DaxMode> read_dax_mode(const LinuxPaths& paths, const std::string& name);
// The inode of its folder; nullopt if there is no such device.
// Of the NVDIMM namespace that the device is, below which it lies; empty if it is none, or cannot be read.
[[nodiscard]] std::string read_nvdimm_uuid(const LinuxPaths& paths, const std::string& name);

[[nodiscard]] std::optional<std::uint64_t> read_dax_generation(const LinuxPaths& paths,
                                                               const std::string& name);

// mapping0, mapping1, ... of a device; of one that has none (before 5.10), [resource, resource + size). Empty
// for a device without memory. If one of them cannot be read, or makes no sense, none is known.
struct MappingProblem {
    std::string part;  // "mapping1/start"
    int errnum = 0;    // 0: it was read, and makes no sense
};
[[nodiscard]] tl::expected<std::vector<PhysRange>, MappingProblem> read_dax_ranges(const LinuxPaths& paths,
                                                                                   const std::string& name);
[[nodiscard]] Error mapping_error(const std::string& dax, const std::string& operation,
                                  const MappingProblem& problem);

// By name. Kinds and serials below a region come from `regions` and `memdevs`; a device whose region is
// not among them is in `unknown_region` instead: one of the two has changed since it was read.
struct DaxScan {
    std::vector<DaxDevice> devices;
    std::vector<DaxDevice> unknown_region;
    std::vector<Unreadable> unreadable;  // devices of which it is not known where they lie
};
[[nodiscard]] Result<DaxScan> scan_dax(const LinuxPaths& paths, const std::vector<Region>& regions,
                                       const std::vector<Memdev>& memdevs);

// The same for one device, without looking at regions: kind is a guess, id.serials empty. nullopt if there is
// no such device; an error if it cannot be told where it lies.
[[nodiscard]] Result<std::optional<DaxDevice>> read_dax(const LinuxPaths& paths, const std::string& name);

}  // namespace cxlmemd
