// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/firmware_ram.h"

#include <algorithm>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

std::optional<std::vector<PhysRange>> read_firmware_ram(const LinuxPaths& paths) {
    const std::string folder = paths.sys + "/firmware/memmap";
    const auto entries = sysfs::list(folder);
    if (!entries || entries->empty()) return std::nullopt;
    std::vector<PhysRange> out;
    for (const std::string& entry : *entries) {
        const std::string path = folder + "/" + entry;
        const auto type = sysfs::read(path + "/type");
        if (!type) return std::nullopt;
        if (*type != "System RAM") continue;
        const auto start = sysfs::read_number(path + "/start");
        const auto end = sysfs::read_number(path + "/end");  // the last byte
        if (!start || !end || *end < *start) return std::nullopt;
        out.push_back({PhysAddr{*start}, Bytes{*end - *start + 1}});
    }
    std::ranges::sort(out, {}, &PhysRange::start);
    return out;
}

}  // namespace cxlmemd
