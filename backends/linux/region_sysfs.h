// What libcxl does not say of a region, or only by reading every port and decoder of the machine
// (Documentation/ABI/testing/sysfs-bus-cxl). Worker thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/linux/paths.h"
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
[[nodiscard]] std::vector<RegionTarget> read_targets(const LinuxPaths& paths, const std::string& region);

// Region::destroyed_first and Region::locked.
[[nodiscard]] std::vector<std::string> read_above(const LinuxPaths& paths, const std::string& region,
                                                  const std::vector<RegionTarget>& targets);
[[nodiscard]] bool any_locked(const LinuxPaths& paths, const std::vector<RegionTarget>& targets);

// Who the region of that name is now; nullopt if there is none.
[[nodiscard]] std::optional<RegionIdentity> read_region_identity(const LinuxPaths& paths,
                                                                 const std::string& name);

}  // namespace cxlmemd
