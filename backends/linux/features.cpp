// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/features.h"

#include <algorithm>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

Features read_features(const LinuxPaths& paths, bool hotremove, const Topology& found) {
    const std::string weights = paths.sys + "/kernel/mm/mempolicy/weighted_interleave";
    Features out;
    // drivers/dax/kmem.c since 7.3, while bound.
    out.dax_state = std::ranges::any_of(found.dax_devices, [&](const DaxDevice& device) {
        return device.mode == DaxMode::system_ram &&
               sysfs::exists(paths.dax_devices() + "/" + device.id.name + "/state");
    });
    out.weighted_interleave = sysfs::exists(weights);
    // Some 6.18 kernels call it by the name of a variable of theirs.
    out.weighted_interleave_auto =
        sysfs::exists(weights + "/auto") || sysfs::exists(weights + "/__auto_type");
    // A region has the folder (6.9) even where nothing is known; a node has it once something is.
    out.access_coordinates =
        std::ranges::any_of(found.regions,
                            [&](const Region& region) {
                                return sysfs::exists(paths.cxl_devices() + "/" + region.name + "/access0");
                            }) ||
        std::ranges::any_of(found.nodes, [](const Node& node) { return node.access != AccessCoordinates{}; });
    out.region_create = std::ranges::any_of(found.root_decoders, [&](const RootDecoder& root) {
        return sysfs::exists(paths.cxl_devices() + "/" + root.name + "/create_ram_region");
    });
    out.memory_hotremove = hotremove;
    out.famfs = sysfs::exists(paths.dax_drivers() + "/fsdev_dax");  // drivers/dax/fsdev.c
    out.demotion = sysfs::exists(paths.sys + "/kernel/mm/numa/demotion_enabled");
    return out;
}

}  // namespace cxlmemd
