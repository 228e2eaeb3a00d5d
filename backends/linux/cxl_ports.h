// SPDX-License-Identifier: LGPL-2.1-or-later
// Which memdevs a root decoder leads to, and the endpoint port of each: from the links in /sys/bus/cxl
// (Documentation/ABI/testing/sysfs-bus-cxl). libcxl's own way there reads every port and decoder of the
// machine. Worker thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backends/linux/paths.h"

namespace cxlmemd {

// Memdev name to its endpoint port's folder, links resolved. A memdev that has no endpoint yet is not there.
using Endpoints = std::map<std::string, std::string>;

[[nodiscard]] Endpoints read_endpoints(const LinuxPaths& paths);

// The host bridge that an endpoint port (its folder, links resolved) lies below, "pci0000:0c"; empty if that
// cannot be told.
[[nodiscard]] std::string bridge_above(const std::string& endpoint);

// A root decoder's host bridges, "pci0000:0c", in interleave order.
[[nodiscard]] std::vector<std::string> bridges_of(const LinuxPaths& paths, const std::string& root_decoder);

// Names, sorted: those whose endpoint lies below a host bridge that the root decoder targets.
[[nodiscard]] std::vector<std::string> memdevs_below(const LinuxPaths& paths, const std::string& root_decoder,
                                                     const Endpoints& endpoints);

}  // namespace cxlmemd
