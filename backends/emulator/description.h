// What an emulated machine is made of when it is switched on. Comes from a file (file.h) or from
// two_card_server(). A plain value; nothing in it has been checked against itself except by file.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/emulator/scenario.h"
#include "backends/emulator/time_model.h"
#include "policy/topology.h"

namespace cxlmemd::emulator {

// Limits of a machine, wherever its parts come from: a file, or Inject.
inline constexpr std::size_t max_entries = 4096;                // memdevs, dax devices, ... of each
inline constexpr std::uint64_t max_blocks = 1ULL << 22;         // that exist at a time
inline constexpr std::uint64_t max_address = (1ULL << 52) - 1;  // x86's physical address width

// The `generation` fields of Memdev, Region and DaxIdentity are given by the machine, and
// DaxIdentity::serials follows from the region: what is written there is not looked at.
struct DaxDescription {
    DaxDevice device;
    // Once it is bound to kmem: the zone all its blocks are in, none for offline. Without it,
    // auto_online decides, as at any later bind.
    std::optional<Zone> blocks;
};

struct NodeDescription {
    NodeId id;
    bool has_cpu = false;
    Bytes kernel_bytes;   // the machine's own memory, which is never taken offline
    Bytes movable_bytes;  // the same in ZONE_MOVABLE
    Bytes used_bytes;     // of kernel_bytes: what is in use and cannot be had back
    AccessCoordinates access;
};

// A physical range that iomem shows as taken: kmem cannot reserve it (R10).
struct ReservedRange {
    PhysRange range;
    std::string holder;  // "System RAM (kmem)"
};

struct MachineDescription {
    Bytes block_size{128ULL << 20};
    AutoOnline auto_online = AutoOnline::offline;
    Features features;
    // Offlining from a kernel zone fails with EBUSY, as it does on 7.3 (not on 6.12).
    bool kernel_zone_unmovable = false;
    TimeModel time_model{};
    std::vector<Memdev> memdevs;
    std::vector<RootDecoder> root_decoders;
    std::vector<Region> regions;
    std::vector<DaxDescription> dax_devices;
    std::vector<NodeDescription> nodes;  // with memory of their own, CPUs or known coordinates
    std::vector<ReservedRange> reserved;
    std::vector<Competitor> competitors;
    // Regions, by name, whose capacity comes and goes in extents (docs/emulator.md, Dynamic capacity).
    std::vector<std::string> dynamic_regions;
    Scenario scenario;
    // The file had a scenario only, for the machine in this one, seen from its own folder;
    // read_machine_file() has put it in.
    std::optional<std::string> machine_file;
};

// The machine without a file: two cards of 4 GiB, one region and one dax device on each, bound to
// kmem, every block offline.
[[nodiscard]] MachineDescription two_card_server();

}  // namespace cxlmemd::emulator
