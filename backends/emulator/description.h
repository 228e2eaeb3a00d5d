// SPDX-License-Identifier: LGPL-2.1-or-later
// What an emulated machine is made of when it is switched on. Comes from a file (file.h) or from
// two_card_server(). A plain value; nothing in it has been checked against itself except by file.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backends/emulator/scenario.h"
#include "backends/emulator/time_model.h"
#include "policy/topology.h"

namespace cxlmemd::emulator {

// Limits of a machine, wherever its parts come from: a file, or Inject.
inline constexpr std::size_t max_ranges = 1024;                 // of one dax device
inline constexpr std::size_t max_entries = 4096;                // memdevs, dax devices, ... of each
inline constexpr std::uint64_t max_blocks = 1ULL << 22;         // that exist at a time
inline constexpr std::uint64_t max_address = (1ULL << 52) - 1;  // x86's physical address width

// Memory blocks that exist, side by side in one zone; `none` is offline.
struct BlockRun {
    BlockIndex first;
    std::uint64_t count = 1;
    Zone zone = Zone::none;

    bool operator==(const BlockRun&) const = default;
};

// The `generation` fields of Memdev, Region and DaxIdentity are given by the machine, and
// DaxIdentity::serials follows from the region: what is written there is not looked at.
// DaxDevice::hotplug_state is what daxX.Y/state reads if that is not what binding the device comes to.
struct DaxDescription {
    DaxDevice device;
    // Once it is bound to kmem: the zone all its blocks are in, none for offline. Without it,
    // auto_online decides, as at any later bind.
    std::optional<Zone> blocks;
    // Instead of binding it and asking auto_online: exactly these blocks exist, ascending and disjoint. Of a
    // device that is bound to kmem all of a range or none; else they are lost until reboot (R11), and may be
    // of a device that was there before, and on its node.
    std::optional<std::vector<BlockRun>> block_runs{};
    std::optional<NodeId> blocks_node{};  // if not the target node

    bool operator==(const DaxDescription&) const = default;
};

struct NodeDescription {
    NodeId id;
    bool has_cpu = false;
    Bytes kernel_bytes;   // the machine's own memory, which is never taken offline; LooseMemory apart
    Bytes movable_bytes;  // the same in ZONE_MOVABLE
    Bytes used_bytes;     // of all memory of the firmware's: what is in use and cannot be had back
    AccessCoordinates access;
    // Without CPUs and memory of its own a node is there, and shows its access coordinates, from the first
    // block of a dax device on; these say that it is and does when the machine is switched on.
    bool present = false;
    bool access_shown = false;
    // What the kernel shows where it is not what the emulator would come to: -1 is no tier, 0 no weight.
    // A weight is shown also while the node has no memory, and counts until somebody writes one.
    std::optional<int> tier{};
    std::optional<std::uint32_t> interleave_weight{};

    bool operator==(const NodeDescription&) const = default;
};

// Memory blocks that no dax device has.
struct LooseMemory {
    NodeId node;
    std::vector<BlockRun> runs;  // ascending and disjoint
    // The firmware gave them to the kernel as plain System RAM; else a dax device has left them behind, and
    // nothing gives them back before a reboot (R11).
    bool firmware = true;

    bool operator==(const LooseMemory&) const = default;
};

// A physical range that iomem shows as taken: kmem cannot reserve it (R10).
struct ReservedRange {
    PhysRange range;
    std::string holder;  // "System RAM (kmem)"

    bool operator==(const ReservedRange&) const = default;
};

struct MachineDescription {
    Bytes block_size{128ULL << 20};
    AutoOnline auto_online = AutoOnline::offline;
    Features features;
    bool interleave_auto = true;    // goes with Features::weighted_interleave_auto
    bool demotion_enabled = false;  // goes with Features::demotion
    // Offlining from a kernel zone fails with EBUSY, as it does on 7.3 (not on 6.12).
    bool kernel_zone_unmovable = false;
    TimeModel time_model{};
    // How much later than its region a dax device appears, and is bound: since 7.3 the kernel makes it apart.
    std::uint64_t late_dax_usec = 0;
    std::vector<Memdev> memdevs;
    // By memdev, as the CPUs see it: what the card says of itself (CDAT), and the way to it (HMAT, links).
    std::map<std::string, AccessCoordinates> memdev_access;
    std::vector<RootDecoder> root_decoders;
    // Of root_decoders, by name: those that lead to RootDecoder::memdevs, and not to every card.
    std::set<std::string> decoders_with_list;
    // Of root_decoders, by name: the node that memory of their window lands on. Without one, each region that
    // is made later has a node of its own.
    std::map<std::string, NodeId> decoder_nodes;
    std::vector<Region> regions;         // made in this order: later ones stand above earlier ones on a card
    std::set<std::string> access_shown;  // of regions, by name: from the start, not from the first block on
    std::vector<EndpointDecoder> endpoint_decoders;  // that hold capacity for no region
    std::vector<DaxDescription> dax_devices;
    std::vector<NodeDescription> nodes;  // with memory of their own, CPUs or known coordinates
    std::vector<LooseMemory> memory;
    bool firmware_map = true;  // the kernel shows which memory is in the firmware's map
    std::vector<ReservedRange> reserved;
    std::vector<Competitor> competitors;
    HostFacts host;
    // Regions, by name, whose capacity comes and goes in extents (docs/emulator.md, Dynamic capacity).
    std::vector<std::string> dynamic_regions;
    // Extents join and leave a device while it is bound to kmem, and take their memory blocks along.
    bool live_extents = false;
    Scenario scenario;
    // The file had a scenario only, for the machine in this one, seen from its own folder;
    // read_machine_file() has put it in.
    std::optional<std::string> machine_file;

    bool operator==(const MachineDescription&) const = default;
};

// The machine without a file: two cards of 4 GiB, one region and one dax device on each, bound to
// kmem, every block offline.
[[nodiscard]] MachineDescription two_card_server();

}  // namespace cxlmemd::emulator
