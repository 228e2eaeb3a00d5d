// SPDX-License-Identifier: LGPL-2.1-or-later
// NUMA nodes: /sys/devices/system/node (Documentation/ABI/stable/sysfs-devices-node), zones from
// /proc/zoneinfo, interleave weights. Their tiers: tiers.h. Worker thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/linux/paths.h"
#include "backends/linux/zoneinfo.h"
#include "policy/topology.h"

namespace cxlmemd {

// {read,write}_{latency,bandwidth} in a folder; 0 means that the kernel does not know.
[[nodiscard]] AccessCoordinates read_coordinates(const std::string& folder);

struct NodeScan {
    std::vector<Node> nodes;                // all of them, ascending, without their tiers
    std::optional<Bytes> kernel_available;  // see Topology
};

// Empty if /proc/zoneinfo cannot be read. On a large machine it is long: read it once a scan.
[[nodiscard]] std::map<NodeId, ZonePages> read_zones(const LinuxPaths& paths);

[[nodiscard]] NodeScan read_nodes(const LinuxPaths& paths, const std::map<NodeId, ZonePages>& zones);

}  // namespace cxlmemd
