// SPDX-License-Identifier: LGPL-2.1-or-later
// Disables a region and gives its capacity back, when that loses nothing.
//
// Through sysfs, not through libcxl: for its handle of a region the library first lists every port and
// decoder, it says nothing of which of five writes the kernel refused, and what is checked here (identity,
// blocks, drivers) has to be checked right before the act. The writes are those of `cxl destroy-region`
// (ndctl's cxl/region.c). Worker thread; ends when the kernel's remove has.
#pragma once

#include "backends/linux/memory_blocks.h"
#include "backends/linux/paths.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

class RegionRemoval final {
 public:
    // Both must outlive it.
    RegionRemoval(const LinuxPaths& paths, const MemoryBlocks& blocks) : paths_(paths), blocks_(blocks) {}

    // As Backend::destroy_region says.
    [[nodiscard]] Result<> destroy(const RegionIdentity& region) const;

 private:
    [[nodiscard]] Result<> may_go(const RegionIdentity& region) const;
    // The name of a dax device that has a driver and lies in the region; empty if there is none.
    [[nodiscard]] Result<std::string> bound_device_in(const std::string& region,
                                                      const PhysRange& range) const;
    [[nodiscard]] Result<> holds_no_memory(const RegionIdentity& region) const;
    [[nodiscard]] Result<> disable(const std::string& region) const;
    [[nodiscard]] Result<> give_back(const std::string& region) const;
    [[nodiscard]] std::string file(const std::string& device, const std::string& attribute) const;

    const LinuxPaths& paths_;
    const MemoryBlocks& blocks_;
};

}  // namespace cxlmemd
