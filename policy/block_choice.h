// SPDX-License-Identifier: LGPL-2.1-or-later
// Which blocks of a dax device stay, change zone, come online and go offline to reach a goal of
// mode system-ram. The choice only; plan_device() makes steps and words of it. Pure, any thread.
//
// An amount is the highest blocks of the device: it grows and shrinks at its low end, where a block that
// comes or goes costs no search of those that stay (block_order.h).
#pragma once

#include <cstdint>
#include <vector>

#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

// What of the wanted blocks is for one zone. All lists ascend.
struct ZonePart {
    Zone zone = Zone::movable;

    std::vector<BlockIndex> right;    // online in this zone: stay
    std::vector<BlockIndex> kept;     // online in the other zone: stay, on_conflict = keep
    std::vector<BlockIndex> rezoned;  // online in the other zone: go offline and come back
    std::vector<BlockIndex> brought;  // offline, or not there before the bind: come online

    // What stands in the way.
    std::vector<BlockIndex> stuck_zone;  // would be rezoned, but nothing can be offlined (R13)
    std::vector<BlockIndex> barred;      // offline, and may not come online in this zone

    bool operator==(const ZonePart&) const = default;
};

// Every whole block of the device is in at most one list; all lists ascend.
struct BlockChoice {
    // One part; or, where zone = "auto" splits the device, the kernel's part below and the movable one above
    // it.
    std::vector<ZonePart> parts;
    std::uint64_t total = 0;   // whole blocks of the device, whether they exist now or not
    std::uint64_t wanted = 0;  // of these, as the amount says
    bool rounded = false;      // the amount was no whole number of blocks: `wanted` is less

    std::vector<BlockIndex> excess;  // online beyond the amount: go offline

    // What stands in the way.
    std::vector<BlockIndex> stuck_excess;  // would be excess, but nothing can be offlined (R13)
    std::vector<BlockIndex> poisoned;      // offline, and a page of them is poisoned: never come online
    std::vector<BlockIndex> leaving;       // going offline by somebody's hand
    std::uint64_t absent = 0;              // the device is bound, but the kernel did not add them

    // Blocks that are as they should be, or stay as they are by on_conflict = keep.
    [[nodiscard]] std::uint64_t settled() const;
    // Blocks of the wanted amount that are not online once the choice has been carried out.
    [[nodiscard]] std::uint64_t missing() const;

    bool operator==(const BlockChoice&) const = default;
};

// `device` must be bound to kmem, or have no block in the kernel (not reboot_required()).
[[nodiscard]] BlockChoice choose_blocks(const Topology& topology, const DaxDevice& device, const Goal& goal);

}  // namespace cxlmemd
