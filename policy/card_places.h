// SPDX-License-Identifier: LGPL-2.1-or-later
// Where memory of a card may show up in the physical address space: what its regions and decoders take, and
// parts of windows that lead to it. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

struct CardPlaces {
    std::vector<PhysRange> assigned;  // by regions and decoders
    std::vector<PhysRange> alone;     // parts of windows that nobody else's memory can be in
    // Parts of windows that lead to several cards, and that no region or decoder takes.
    struct Shared {
        PhysRange range;
        std::vector<std::string> candidates;  // memdevs with capacity that nothing accounts for
    };
    std::vector<Shared> shared;

    [[nodiscard]] bool are_certain(const PhysRange& range) const;
    [[nodiscard]] const Shared* find_shared(const PhysRange& range) const;  // null if there is none
};

[[nodiscard]] CardPlaces places_of(const Topology& topology, const Memdev& memdev);

// Appends the range, unless the kernel shows no place: a region that is not set up, a window that is
// unreadable and noted.
void add_range(std::vector<PhysRange>& out, PhysAddr start, Bytes size);
// Ascending, without overlaps.
[[nodiscard]] std::vector<PhysRange> merged(std::vector<PhysRange> ranges);
[[nodiscard]] bool touches(const std::vector<PhysRange>& ranges, const PhysRange& range);

}  // namespace cxlmemd
