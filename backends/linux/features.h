// What this kernel can do: by the files that it shows, not by its version. Worker thread.
#pragma once

#include "backends/linux/memory_blocks.h"
#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

// dax-state and access-coordinates show only where there is a device to show them on.
[[nodiscard]] Features read_features(const LinuxPaths& paths, const MemoryBlocks& blocks,
                                     const Topology& found);

}  // namespace cxlmemd
