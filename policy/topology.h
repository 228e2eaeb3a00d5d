// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's CXL memory as one immutable value.
//
// A backend builds a Topology complete; afterwards it is replaced whole, or a few of its memory blocks are
// exchanged by whoever owns it (block_change.h). Plain comparable structs: any thread may read.
// Field names follow the kernel: Documentation/ABI/testing/sysfs-bus-cxl, sysfs-bus-dax,
// sysfs-devices-memory, sysfs-devices-node.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/units.h"

namespace cxlmemd {

enum class BlockState : std::uint8_t { offline, going_offline, online };

// The zone of an online block. `kernel` is every zone that holds kernel allocations
// (Normal, DMA32, DMA); `none` is the zone of a block that is not online.
enum class Zone : std::uint8_t { none, kernel, movable };

// How a dax device is used: the driver bound to it.
enum class DaxMode : std::uint8_t {
    unbound,     // no driver
    system_ram,  // kmem
    devdax,      // device_dax
    famfs,       // fsdev_dax
};

enum class DaxKind : std::uint8_t { cxl_ram, cxl_pmem, hmem, pmem };

// Content of /sys/devices/system/memory/auto_online_blocks.
enum class AutoOnline : std::uint8_t { offline, online, online_kernel, online_movable };

// Content of daxX.Y/state (drivers/dax/kmem.c since 7.3): what was last written to it, or what
// auto_online_blocks was when kmem took the device. It does not follow what is written to single blocks.
enum class HotplugState : std::uint8_t { unplugged, offline, online, online_kernel, online_movable };

enum class RegionType : std::uint8_t { ram, pmem };

// Performance as the initiators nearest to the memory see it; absent where the kernel says nothing.
struct AccessCoordinates {
    std::optional<Nanoseconds> read_latency;
    std::optional<Nanoseconds> write_latency;
    std::optional<MegabytesPerSecond> read_bandwidth;
    std::optional<MegabytesPerSecond> write_bandwidth;

    bool operator==(const AccessCoordinates&) const = default;
};

struct PhysRange {
    PhysAddr start;
    Bytes size;  // never 0

    [[nodiscard]] constexpr PhysAddr end() const {  // one past the last byte
        return PhysAddr{start.value() + size.value()};
    }
    bool operator==(const PhysRange&) const = default;
};

struct Memdev {
    std::string name;  // "mem0"; not stable across boots
    std::uint64_t serial = 0;
    std::string host;  // the PCI function, "0000:0d:00.0"
    NodeId numa_node = no_node;
    Bytes ram_size;
    Bytes pmem_size;
    std::string firmware;
    std::uint64_t generation = 0;  // see DaxIdentity
    // The CXL port driver has set the card up. Until then its decoders, and the windows that lead to it,
    // are not known.
    bool has_endpoint = true;
    // The host bridge that it is below, as RootDecoder::targets names it; empty if that is not known.
    std::string bridge{};

    bool operator==(const Memdev&) const = default;
};

// A decoder of a card that holds capacity of it (drivers/cxl/core/hdm.c).
struct EndpointDecoder {
    std::string name;    // "decoder5.0"
    std::string memdev;  // "mem0"
    Bytes capacity;      // dpa_size; never 0
    std::string region;  // empty: none uses it
    // Where the capacity shows up; nullopt while the decoder is not committed, and nothing can be there.
    std::optional<PhysRange> mapped;
    bool locked = false;

    bool operator==(const EndpointDecoder&) const = default;
};

struct RootDecoder {
    std::string name;  // "decoder0.0"
    PhysRange window;  // its CFMWS window
    bool volatile_capable = false;
    bool pmem_capable = false;
    std::optional<int> qos_class;
    std::uint32_t interleave_ways = 1;         // over host bridges
    std::uint32_t interleave_granularity = 0;  // bytes; says nothing with one way
    std::vector<std::string> memdevs;          // that it leads to, by name: below its host bridges
    std::vector<std::string> targets{};        // its host bridges, in interleave order

    bool operator==(const RootDecoder&) const = default;
};

struct Region {
    std::string name;  // "region0"; not stable across boots
    RegionType type = RegionType::ram;
    PhysAddr resource;
    Bytes size;
    std::uint32_t interleave_ways = 1;
    std::uint32_t interleave_granularity = 0;  // bytes
    std::string root_decoder;
    std::vector<std::string> memdevs;  // names, in interleave position order
    std::optional<int> qos_class;
    AccessCoordinates access;      // access0 of the region, or of its node where the region has none
    std::uint64_t generation = 0;  // see DaxIdentity

    // What has to go before this region can: a card gives its capacity back from its last decoder down
    // (drivers/cxl/core/hdm.c, cxl_dpa_free). Regions that stand above it on one of its memdevs, and
    // endpoint decoders ("decoder5.1") that hold capacity for no region.
    std::vector<std::string> destroyed_first{};
    bool locked = false;  // the firmware locked its decoders: it stays until the machine is reset
    // False: a target could not be read, and more memdevs than `memdevs` may be below it.
    bool members_known = true;
    // No driver has it: its removal or its creation was cut short, or cxl_region is not loaded.
    bool disabled = false;

    bool operator==(const Region&) const = default;
};

// Which region or memdev this is, as DaxIdentity says it of a dax device (R7).
struct RegionIdentity {
    std::string name;  // "region0"
    PhysAddr resource;
    std::vector<std::uint64_t> serials;  // of its memdevs, in interleave order
    std::uint64_t generation = 0;

    bool operator==(const RegionIdentity&) const = default;
};

struct MemdevIdentity {
    std::string name;  // "mem0"
    std::uint64_t serial = 0;
    std::uint64_t generation = 0;

    bool operator==(const MemdevIdentity&) const = default;
};

// Which dax device this is: its name and what it is. Two values are equal only for the same
// incarnation; an action made for one incarnation never touches its successor (R7).
struct DaxIdentity {
    std::string name;                    // "dax0.0"
    std::string region;                  // "region0", empty without one
    PhysAddr start;                      // first byte of the first range
    std::vector<std::uint64_t> serials;  // of the memdevs below, in interleave order
    // Moves whenever a device of that name is made anew (on Linux the inode number of its sysfs
    // directory, which kernfs never gives twice in a row; in the emulator a counter).
    std::uint64_t generation = 0;

    bool operator==(const DaxIdentity&) const = default;
};

struct DaxDevice {
    DaxIdentity id;
    DaxKind kind = DaxKind::cxl_ram;
    NodeId target_node = no_node;  // the node its memory lands on; -1 is refused by kmem (R8)
    NodeId numa_node = no_node;
    Bytes size;
    PhysAddr resource;
    Bytes align;
    std::vector<PhysRange> ranges;  // mapping0, mapping1, ... ; one at least
    DaxMode mode = DaxMode::unbound;
    // Its struct pages lie on the device itself: daxX.Y/memmap_on_memory, and the boot parameter is there.
    bool memmap_on_memory = false;
    // nullopt: the kernel has no such file, or the device is not bound to kmem.
    std::optional<HotplugState> hotplug_state{};
    std::string
        nvdimm_uuid{};  // of the NVDIMM namespace that it is, in lower case; empty: none, or not known

    bool operator==(const DaxDevice&) const = default;
};

// One memory block that exists in the kernel. Blocks that no driver has added do not exist.
struct Block {
    BlockIndex index;
    BlockState state = BlockState::offline;
    Zone zone = Zone::none;
    bool kernel_allowed = true;   // valid_zones of an offline block names a kernel zone; says nothing online
    bool movable_allowed = true;  // valid_zones of an offline block names Movable
    NodeId node = no_node;

    bool operator==(const Block&) const = default;
};

struct Node {
    NodeId id;
    bool has_cpu = false;
    Bytes bytes_kernel;       // present in kernel zones
    Bytes bytes_movable;      // present in ZONE_MOVABLE
    std::optional<int> tier;  // N of memory_tierN
    AccessCoordinates access;
    std::optional<std::uint32_t> interleave_weight;

    bool operator==(const Node&) const = default;
};

// What this kernel can do. Names as in Manager.Features.
struct Features {
    bool dax_state = false;  // daxX.Y/state (7.3)
    bool weighted_interleave = false;
    bool weighted_interleave_auto = false;
    bool access_coordinates = false;
    bool region_create = false;
    bool memory_hotremove = true;
    bool demotion = false;
    bool famfs = false;  // there is the driver fsdev_dax

    bool operator==(const Features&) const = default;
};

enum class CompetitorKind : std::uint8_t {
    onlines,         // brings memory online by itself when it appears
    may_online,      // runs a program then, or cannot be read: it may
    crash_dump,      // reloads the crash kernel for each memory block that goes online or offline
    block_by_block,  // runs another program then
};

// Something on this machine, other than us, that acts on memory blocks.
struct Competitor {
    std::string where;       // "/usr/lib/udev/rules.d/40-memory.rules:3"
    std::string what;        // "a udev rule", "a daxctl configuration"
    Zone zone = Zone::none;  // where it puts memory; none if that is not said
    CompetitorKind kind = CompetitorKind::onlines;

    bool operator==(const Competitor&) const = default;
};

// What the kernel did not say when it was asked (EIO, EINTR, a word nobody knows). Whatever it concerns may
// be in use: unknown is never empty. What is simply not there (ENOENT, ENODEV) is not noted.
struct Unreadable {
    std::string what;                // "memory block 182: state", "mem0: ram_size"
    std::optional<PhysRange> where;  // what may lie there; nullopt: not known
    std::string memdev{};            // the card that it concerns; empty with `where` empty: it may be any
    int errnum = 0;                  // 0: it was read, and makes no sense

    bool operator==(const Unreadable&) const = default;
};

// Memory blocks whose dax device has gone without them: what was known of it when it went. Scans do not
// find it; whoever saw the device fills it in (daemon/leak_book.h).
struct Leak {
    PhysRange range;
    std::string dax;
    std::string region;                // empty if it had none
    std::vector<std::string> memdevs;  // names of those that carry the memory and are still there
    // False: no block of it is online, and whoever removed the device may still be at it.
    bool certain = true;

    bool operator==(const Leak&) const = default;
};

// Which machine this is: what systemd's .link files can match on. Empty: not known.
struct HostFacts {
    std::string name;             // the host name
    std::string machine_id;       // /etc/machine-id
    std::string virtualization;   // as systemd-detect-virt prints it: "none", "kvm", "docker"
    std::string kernel_version;   // "6.12.95+deb13-amd64"
    std::string firmware_vendor;  // DMI, bios_vendor
    std::string product;          // DMI, product_name

    bool operator==(const HostFacts&) const = default;
};

struct Topology {
    Bytes block_size;  // a power of two, 128 MiB to 2 GiB; 0 if the kernel has no memory blocks
    AutoOnline auto_online = AutoOnline::offline;
    Features features;
    // What the kernel zones of all nodes could still give to the kernel itself: free pages above the low
    // watermark and half of the page cache. Moves all the time; nullopt if the kernel does not say.
    std::optional<Bytes> kernel_available;
    std::optional<bool> interleave_auto;     // weighted_interleave/auto; absent on kernels without that mode
    std::optional<bool> demotion_enabled;    // numa/demotion_enabled; absent on kernels without demotion
    std::vector<Memdev> memdevs;             // by name
    std::vector<RootDecoder> root_decoders;  // by name
    std::vector<Region> regions;             // by name
    std::vector<DaxDevice> dax_devices;      // by name
    std::vector<EndpointDecoder> endpoint_decoders{};  // that hold capacity, by name
    // Those that exist and overlap a dax device's range, a region or a window, whether or not a dax device
    // has them; ascending by index, no doubles.
    std::vector<Block> blocks;
    std::vector<Node> nodes;              // ascending by id
    std::vector<Competitor> competitors;  // auto_online apart
    std::vector<Unreadable> unreadable{};
    // Parts of windows and regions that the firmware's memory map calls System RAM, ascending; nullopt if
    // there is no map to be read (/sys/firmware/memmap). Memory that a driver added is never in it.
    std::optional<std::vector<PhysRange>> firmware_ram{};
    std::vector<Leak> leaks{};
    HostFacts host{};
    // Memory blocks that the kernel refused to bring online because a page of them is poisoned (EHWPOISON),
    // ascending. Scans do not find them; whoever was told fills them in (daemon/service.cpp).
    std::vector<BlockIndex> poisoned{};

    bool operator==(const Topology&) const = default;
};

// --- Looking things up. All pure; null or nullopt where there is none. ---

[[nodiscard]] const DaxDevice* find_dax(const Topology& topology, std::string_view name);
[[nodiscard]] const DaxDevice* find_dax(const Topology& topology, const DaxIdentity& identity);
[[nodiscard]] const Region* find_region(const Topology& topology, std::string_view name);
[[nodiscard]] const Region* find_region(const Topology& topology, const RegionIdentity& identity);
[[nodiscard]] const RootDecoder* find_root_decoder(const Topology& topology, std::string_view name);
[[nodiscard]] const Memdev* find_memdev(const Topology& topology, std::string_view name);
[[nodiscard]] const Memdev* find_memdev(const Topology& topology, const MemdevIdentity& identity);
[[nodiscard]] const Node* find_node(const Topology& topology, NodeId id);
[[nodiscard]] const Block* find_block(const Topology& topology, BlockIndex index);

[[nodiscard]] RegionIdentity identity_of(const Topology& topology, const Region& region);
[[nodiscard]] MemdevIdentity identity_of(const Memdev& memdev);

// The dax devices that the region's own driver made, in the topology's order. What else stands on it:
// occupancy.h.
[[nodiscard]] std::vector<const DaxDevice*> dax_devices_on(const Topology& topology, const Region& region);

[[nodiscard]] constexpr bool overlap(const PhysRange& a, const PhysRange& b) {
    return a.start < b.end() && b.start < a.end();
}

// The memory blocks that lie wholly inside the device's ranges, ascending: what kmem can add (R9).
[[nodiscard]] std::vector<BlockIndex> whole_blocks(const DaxDevice& device, Bytes block_size);

[[nodiscard]] std::size_t whole_block_count(const DaxDevice& device, Bytes block_size);

// Bytes of the device's ranges outside every whole block: lost to alignment (R9).
[[nodiscard]] Bytes stranded_bytes(const DaxDevice& device, Bytes block_size);

// The memory blocks wholly inside a range that exist, ascending; for as long as the topology is as it is.
[[nodiscard]] std::span<const Block> present_blocks(const Topology& topology, const PhysRange& range);
// The same of those that touch the range at all.
[[nodiscard]] std::span<const Block> overlapping_blocks(const Topology& topology, const PhysRange& range);
// Those of whole_blocks() that exist, ascending.
[[nodiscard]] std::vector<Block> present_blocks(const Topology& topology, const DaxDevice& device);

// How many those are, without a list of them; a block that two ranges hold counts twice.
[[nodiscard]] std::size_t present_block_count(const Topology& topology, const DaxDevice& device);

// True if the device is not bound to kmem, yet memory blocks of it exist: somebody unbound it while
// blocks were online, and the memory is leaked until a reboot (R11). Needs no memory of the past.
[[nodiscard]] bool reboot_required(const Topology& topology, const DaxDevice& device);

// What could not be read and may lie in the device's ranges; null if all of it could.
[[nodiscard]] const Unreadable* find_unreadable(const Topology& topology, const DaxDevice& device);
// "memory block 182: state cannot be read (EIO)"
[[nodiscard]] std::string describe(const Unreadable& unreadable);

// --- The kernel's and the contract's words. ---
[[nodiscard]] std::string_view to_string(BlockState state);    // "offline", "going-offline", "online"
[[nodiscard]] std::string_view to_string(Zone zone);           // "none", "kernel", "movable"
[[nodiscard]] std::string_view to_string(DaxMode mode);        // "unbound", "system-ram", "devdax", "famfs"
[[nodiscard]] std::string_view to_string(DaxKind kind);        // "cxl-ram", "cxl-pmem", "hmem", "pmem"
[[nodiscard]] std::string_view to_string(AutoOnline value);    // as auto_online_blocks reads
[[nodiscard]] std::string_view to_string(RegionType type);     // "ram", "pmem"
[[nodiscard]] std::string_view to_string(HotplugState state);  // as daxX.Y/state reads
// "onlines", "may-online", "crash-dump", "block-by-block"
[[nodiscard]] std::string_view to_string(CompetitorKind kind);
[[nodiscard]] std::optional<HotplugState> hotplug_state_from(std::string_view text);
[[nodiscard]] std::optional<CompetitorKind> competitor_kind_from(std::string_view text);
[[nodiscard]] std::optional<AutoOnline> auto_online_from(std::string_view text);
[[nodiscard]] std::optional<DaxMode> dax_mode_from(std::string_view text);

}  // namespace cxlmemd
