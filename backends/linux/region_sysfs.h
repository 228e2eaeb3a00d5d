// SPDX-License-Identifier: LGPL-2.1-or-later
// What libcxl does not say of a region, or only by reading every port and decoder of the machine
// (Documentation/ABI/testing/sysfs-bus-cxl). Worker thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/linux/paths.h"
#include "backends/linux/sysfs.h"
#include "policy/topology.h"

namespace cxlmemd {

// A position of a region's interleave: region/targetN -> decoderX.Y, whose parent is the endpoint port, whose
// uport is the memdev.
struct RegionTarget {
    std::uint32_t position = 0;
    std::string decoder;  // "decoder5.0", of an endpoint
    std::string memdev;   // "mem0"
};

// In position order; positions that nothing is attached to are left out.
struct RegionTargets {
    std::vector<RegionTarget> list;
    // Set: there may be more, since this could not be read.
    std::optional<Unreadable> unread;
};
[[nodiscard]] RegionTargets read_targets(const LinuxPaths& paths, const std::string& region);

// Region::destroyed_first and Region::locked; the errno if it cannot be told.
[[nodiscard]] sysfs::OrErrno<std::vector<std::string>> read_above(const LinuxPaths& paths,
                                                                  const std::string& region,
                                                                  const std::vector<RegionTarget>& targets);
[[nodiscard]] sysfs::OrErrno<bool> any_locked(const LinuxPaths& paths,
                                              const std::vector<RegionTarget>& targets);

// The decoders of a card's endpoint that hold capacity, and what of them could not be read. `endpoint` is the
// folder of the port.
struct DecoderScan {
    std::vector<EndpointDecoder> decoders;
    std::vector<Unreadable> unreadable;
};
[[nodiscard]] DecoderScan read_decoders(const std::string& memdev, const std::string& endpoint);

// Who the region of that name is now; nullopt if there is none.
[[nodiscard]] std::optional<RegionIdentity> read_region_identity(const LinuxPaths& paths,
                                                                 const std::string& name);

}  // namespace cxlmemd
