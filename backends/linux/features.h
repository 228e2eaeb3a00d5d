// SPDX-License-Identifier: LGPL-2.1-or-later
// What this kernel can do: by the files that it shows, not by its version. Worker thread.
#pragma once

#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

// `hotremove`: see MemoryBlocks::hotremove(). dax-state and access-coordinates show only where there is a
// device to show them on.
[[nodiscard]] Features read_features(const LinuxPaths& paths, bool hotremove, const Topology& found);

}  // namespace cxlmemd
