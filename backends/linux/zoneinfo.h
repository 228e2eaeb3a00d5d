// SPDX-License-Identifier: LGPL-2.1-or-later
// /proc/zoneinfo: what is present in which zone of which node, and what the kernel zones could still give.
// Pure.
#pragma once

#include <map>
#include <string_view>

#include "policy/units.h"

namespace cxlmemd {

struct ZonePages {
    std::uint64_t kernel = 0;   // present pages of DMA, DMA32, Normal, HighMem
    std::uint64_t movable = 0;  // of Movable; Device is no memory of the page allocator
    // Pages of the kernel's zones that the kernel could have for itself: free above the low watermark, and
    // half of the page cache, as si_mem_available() in mm/show_mem.c reckons.
    std::uint64_t kernel_available = 0;

    bool operator==(const ZonePages&) const = default;
};

// Of `kernel` and `movable`: present pages, holes left out (Documentation/filesystems/proc.rst). Lines that
// make no sense are passed over.
[[nodiscard]] std::map<NodeId, ZonePages> parse_zoneinfo(std::string_view text);

}  // namespace cxlmemd
