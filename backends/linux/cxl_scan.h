// SPDX-License-Identifier: LGPL-2.1-or-later
// Memdevs, root decoders and regions, by libcxl. Worker thread.
//
// libcxl caches all it has seen, so that every scan has a context of its own. Before each list that it reads
// (some ten for two cards) it writes to /sys/bus/cxl/flush and then waits, 5 s at most, for udev's queue to
// be empty: 52 s for a scan were seen with a stuck udev. Where `flush` cannot be written it does not wait,
// and nothing is lost, as an event tells of what comes later: the unit keeps that file read-only.
#pragma once

#include <vector>

#include "backends/linux/paths.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

struct CxlScan {
    std::vector<Memdev> memdevs;             // by name
    std::vector<RootDecoder> root_decoders;  // by name
    std::vector<Region> regions;             // by name; refer to memdevs and root decoders in here only
    std::vector<EndpointDecoder> endpoint_decoders;  // by name
    std::vector<Unreadable> unreadable;
};

// A machine without a CXL bus gives an empty answer.
[[nodiscard]] Result<CxlScan> scan_cxl(const LinuxPaths& paths);

}  // namespace cxlmemd
