// SPDX-License-Identifier: LGPL-2.1-or-later
// What D-Bus shows of a device and of the machine, counted from the topology. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/occupancy.h"
#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

enum class DaxState : std::uint8_t {
    offline,  // no block is online, or the device has no whole block
    partial,
    online,  // every whole block is online
};

// Of the blocks that are online.
enum class DaxZone : std::uint8_t { none, kernel, movable, mixed };

struct DaxSummary {
    DaxState state = DaxState::offline;
    DaxZone zone = DaxZone::none;
    std::uint32_t blocks_total = 0;  // whole blocks of the ranges, whether they exist now or not
    std::uint32_t blocks_online = 0;
    std::uint32_t blocks_movable = 0;  // online in ZONE_MOVABLE
    Bytes bytes_online;
    Bytes bytes_stranded;          // lost to block alignment (R9)
    bool reboot_required = false;  // R11

    bool operator==(const DaxSummary&) const = default;
};

[[nodiscard]] DaxSummary summarize(const Topology& topology, const DaxDevice& device);

// Something another actor did, or may do, that works against the policy.
struct Conflict {
    std::string kind;  // as Manager.Conflicts has them: "competitor"
    std::string message;

    bool operator==(const Conflict&) const = default;
};

struct MachineSummary {
    Bytes bytes_total;   // of all dax devices
    Bytes bytes_online;  // of these
    // ZONE_MOVABLE to kernel zones over all nodes of the machine; 0 if no node reports kernel memory.
    double movable_ratio = 0;
    std::vector<Conflict> conflicts;

    bool operator==(const MachineSummary&) const = default;
};

// What of that has to be counted device by device.
struct DeviceTotals {
    Bytes bytes_total;
    Bytes bytes_online;
    std::vector<Occupant> leaked;  // see leaked_memory() (R11)

    bool operator==(const DeviceTotals&) const = default;
};

// Who sees to it that auto_online_blocks reads `offline`.
enum class AutoOnlineCare : std::uint8_t {
    nobody,   // auto_online = "leave"
    daemon,   // "manage"
    watched,  // "manage", but the daemon only watches
};

[[nodiscard]] DeviceTotals totals_of(const Topology& topology);
[[nodiscard]] MachineSummary summarize(const Topology& topology, const Policy& policy,
                                       const DeviceTotals& totals, AutoOnlineCare care);
[[nodiscard]] MachineSummary summarize(const Topology& topology, const Policy& policy);

[[nodiscard]] std::string_view to_string(DaxState state);  // "offline", "partial", "online"
[[nodiscard]] std::string_view to_string(DaxZone zone);    // "none", "kernel", "movable", "mixed"

}  // namespace cxlmemd
