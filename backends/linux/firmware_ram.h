// SPDX-License-Identifier: LGPL-2.1-or-later
// The firmware's memory map, as the kernel got it: /sys/firmware/memmap
// (Documentation/ABI/testing/sysfs-firmware-memmap). Memory that a driver added is not in it. Worker thread.
#pragma once

#include <optional>
#include <vector>

#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

// What it calls System RAM, ascending; nullopt if there is no such map, or part of it cannot be read.
[[nodiscard]] std::optional<std::vector<PhysRange>> read_firmware_ram(const LinuxPaths& paths);

}  // namespace cxlmemd
