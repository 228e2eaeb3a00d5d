// SPDX-License-Identifier: LGPL-2.1-or-later
// The emulated kernel: what a write to a sysfs file does, and what pulling a card does.
//
// No check here protects memory: like the kernel, the machine lets kmem be unbound while blocks are
// online, and then the memory is leaked until a reboot. The rules of Backend (R7, R8, R9, R11, R13) are
// in emulator_backend.cpp; competing actors come here directly.
// Kernel sources followed: drivers/dax/kmem.c, drivers/base/memory.c, mm/memory_hotplug.c,
// drivers/cxl/core/region.c, mm/memory-tiers.c.
//
// Errors carry the kernel's errno and the sentence it logs. Not thread-safe. Bad names are
// not_found; nothing is changed where an error is returned, unless said otherwise.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/backend.h"
#include "backends/emulator/blocks.h"
#include "backends/emulator/description.h"
#include "backends/emulator/time_model.h"
#include "backends/emulator/uevent.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd::emulator {

// What may be written to memoryN/state. `online` lets the kernel choose the zone.
enum class BlockWrite : std::uint8_t { offline, online, online_kernel, online_movable };

[[nodiscard]] BlockWrite block_write(BlockTarget target);
[[nodiscard]] std::optional<BlockWrite> block_write_from(std::string_view text);

// A line of the kernel's log; called as a UeventSink is.
using KernelLog = std::function<void(const std::string&)>;

class Machine;
// Has something happen so much later, in microseconds.
using Postpone = std::function<void(std::uint64_t usec, std::function<void(Machine&)> what)>;

struct RegionRequest {
    std::string name{};                   // empty: the lowest free regionN
    DaxKind kind = DaxKind::cxl_ram;      // or cxl_pmem
    std::vector<std::string> memdevs{};   // names, in interleave order; one at least
    std::string root_decoder{};           // empty: the first that can hold it
    std::optional<PhysAddr> start{};      // empty: the lowest gap of the window
    Bytes size{};                         // 0: all that the cards have free, alike on each
    std::optional<NodeId> target_node{};  // empty: the lowest number no other memory uses
    std::uint32_t interleave_granularity = 256;
    DaxMode mode = DaxMode::system_ram;  // what udev binds the new dax device to
    AccessCoordinates access{};          // empty: as its memdevs have it
};

// What the card offers at a time: extents of one size, each in the lowest gap of the region that is large
// enough, or one at an offset.
struct ExtentRequest {
    std::string region{};
    std::string dax{};  // the device that they join, and then its region; empty: they become a device
    std::optional<Bytes> offset{};
    Bytes size{};
    std::uint64_t count = 1;
    DaxMode mode = DaxMode::system_ram;  // of a new device
};

class Machine final {
 public:
    // Switches the machine on: devices that the description says are bound get bound. The sink and the log
    // may be empty; without `postpone` everything happens at once.
    Machine(MachineDescription description, UeventSink sink, KernelLog log = {}, Postpone postpone = {});

    // --- Facts. ---
    [[nodiscard]] Topology topology() const;
    [[nodiscard]] const DaxDevice* dax(std::string_view name) const;
    [[nodiscard]] std::optional<Region> region(std::string_view name) const;
    [[nodiscard]] RegionIdentity identity_of(const Region& region) const;
    [[nodiscard]] std::vector<std::string> dax_of(std::string_view region) const;
    // The name of a dax device that has a driver, and is of the region or lies there; empty if there is none.
    [[nodiscard]] std::string bound_in(std::string_view region, const PhysRange& range) const;
    [[nodiscard]] const std::vector<Memdev>& memdevs() const { return memdevs_; }
    [[nodiscard]] const MemoryBlocks& blocks() const { return blocks_; }
    [[nodiscard]] Bytes block_size() const { return block_size_; }
    [[nodiscard]] const Features& features() const { return features_; }
    [[nodiscard]] bool has_famfs() const { return features_.famfs; }
    // The block spans of the device's ranges after alignment; empty ranges are left out.
    [[nodiscard]] std::vector<MemoryBlocks::Span> whole_spans(const DaxDevice& device) const;
    // Not bound to kmem, yet blocks exist where it is (R11).
    [[nodiscard]] bool memory_leaked(const DaxDevice& device) const;
    // Why the state of a block that overlaps the range cannot be read; 0 if they all can.
    [[nodiscard]] int unreadable_in(const PhysRange& range) const;
    [[nodiscard]] int unreadable(BlockIndex block) const;
    // Its blocks are of the firmware's memory.
    [[nodiscard]] bool is_firmware_ram(BlockIndex block) const;
    // How long this would take now, in microseconds; 0 if it would be refused at once.
    [[nodiscard]] std::uint64_t time_of_write(BlockIndex block, BlockWrite value) const;
    [[nodiscard]] std::uint64_t time_of_bind(std::string_view dax, DaxMode mode) const;
    // daxX.Y/state: what was last written to it, or what auto_online_blocks was at binding; it does not
    // follow what is written to its blocks. ENOENT without the feature, and while it is not bound to kmem.
    [[nodiscard]] Result<std::string> dax_state(std::string_view dax) const;

    // memoryN/valid_zones: the zone of an online block; for one that is offline the zones that it may go to,
    // that of a plain `online` first. Empty if there is no such block.
    [[nodiscard]] std::string valid_zones(BlockIndex block) const;

    // --- What a write to sysfs does. ---
    Result<> write_block_state(BlockIndex block, BlockWrite value);
    Result<> write_block_state(BlockIndex block, std::string_view text);  // EINVAL for other words
    // Offlining somebody's block has begun and not ended: it reads going-offline.
    void set_leaving(BlockIndex block, bool leaving) { blocks_.set_leaving(block, leaving); }
    // Another actor's offlining begins: until it ends, after so many microseconds (0: by itself never), the
    // block reads going-offline and the hotplug lock is held. EBUSY if it is held already, EINVAL for a block
    // that is not online.
    Result<> begin_offline(BlockIndex block, std::uint64_t usec);
    // It ends: the block is offline, or stays online, because the actor was interrupted (EINTR to it) or the
    // kernel says no at last. ENOENT if none is under way.
    Result<> end_offline(bool interrupted);
    [[nodiscard]] bool hotplug_is_held() const { return other_offline_.has_value(); }
    // unplugged, from any state: all blocks go offline and are removed, or nothing changes; online,
    // online_kernel or online_movable from unplugged only, else EBUSY. EINVAL for other words.
    Result<> write_dax_state(std::string_view dax, std::string_view value);
    // The same in parts, for a caller who lets time pass between the blocks. First whether it may be written;
    // false: it reads that already.
    [[nodiscard]] Result<bool> may_write_dax_state(std::string_view dax, std::string_view value) const;
    // unplugged: each block of memory_of() goes offline by write_block_state(), or all go back; then the end,
    // EBUSY if one is online.
    [[nodiscard]] std::vector<BlockIndex> memory_of(std::string_view dax) const;  // in the kernel; ascending
    void put_back(std::span<const std::pair<BlockIndex, Zone>> taken);
    Result<> end_unplug(std::string_view dax);
    // An online value: all blocks come offline, go online by write_block_state(), lowest first; then the end.
    Result<> begin_plug(std::string_view dax);
    void end_plug(std::string_view dax, AutoOnline value);
    void write_auto_online(AutoOnline value) { auto_online_ = value; }
    Result<> write_auto_online(std::string_view text);  // EINVAL for other words
    Result<> write_interleave_weight(NodeId node, std::uint32_t weight);
    Result<> write_interleave_auto(bool on);
    Result<> write_demotion(bool on);
    // Binds an unbound device (EBUSY if it is bound). At kmem's EBUSY for a later range the earlier
    // ones stay, as in the kernel.
    Result<> bind(std::string_view dax, DaxMode mode);
    // Always succeeds on a bound device, whatever its blocks are doing; a range with a block online
    // is leaked until a reboot.
    Result<> unbind(std::string_view dax);
    // The same, and its blocks, if all are offline, are there for so long after its driver has gone: the
    // kernel takes the link away first (drivers/base/dd.c).
    Result<> begin_unbind(std::string_view dax, std::uint64_t usec);

    // --- What hardware, cxl-cli and other processes do. ---
    // Empty name: the lowest free memN.
    Result<std::string> add_memdev(Memdev memdev, const AccessCoordinates& access = {});
    // Its regions lose their dax devices and stay behind, empty, as in the kernel.
    Result<> remove_memdev(std::string_view name);
    // Region, dax device, binding; the name of the dax device. A refused binding is no error: the
    // device stands there unbound. With MachineDescription::late_dax_usec the device and its binding come so
    // much later, if the region is still there and has its driver.
    Result<std::string> add_region(const RegionRequest& request);
    Result<> disable_region(std::string_view name);  // its driver is unbound, as by cxl disable-region
    Result<> remove_region(std::string_view name);
    // The same as Backend's: checks, then add_region(). A card's pretended decoders are named after it, and
    // numbered.
    [[nodiscard]] Result<RegionDraft> draft_region(const RegionOrder& order) const;
    Result<> create_region(const RegionDraft& draft);
    // A dax device with or without region, as described. Bound if its mode says so and it can be.
    Result<> add_dax(DaxDescription description);
    // The device goes, and another of the same name takes its place, further on if `start` is given.
    Result<> replace_dax(std::string_view name, std::optional<PhysAddr> start);
    // Dynamic capacity, machine_extents.cpp. The card offers extents of a dynamic region: a dax device of
    // them appears, bound if it can be, or they join one that is there; its name.
    Result<std::string> add_extents(const ExtentRequest& request);
    // The card wants the nth extent back that a dax device is made of, or all of them: EBUSY, and the host
    // keeps it, while it is in use; by force the card takes it, as if it were pulled.
    Result<> release_extent(std::string_view dax, std::optional<std::size_t> nth, bool force);
    // Puts an unmovable page into the block, or takes it out.
    Result<> pin(BlockIndex block, bool pinned);
    // A page of the block is poisoned: once offline it does not come online (EHWPOISON).
    Result<> poison(BlockIndex block, bool poisoned);
    // Reading its state fails with this errno; 0: it can be read again.
    Result<> make_unreadable(BlockIndex block, int errnum);
    void reserve(ReservedRange range) { reserved_.push_back(std::move(range)); }
    [[nodiscard]] std::size_t reserved_ranges() const { return reserved_.size(); }
    void set_hotremove(bool possible) { features_.memory_hotremove = possible; }

 private:
    struct Dax {
        DaxDevice device;
        std::vector<PhysRange> held{};      // what the bound driver has reserved
        std::optional<AutoOnline> state{};  // of kmem; empty: unplugged
        bool unbinding = false;             // its blocks have not gone yet

        [[nodiscard]] std::string_view name() const { return device.id.name; }
    };

    // As dax_state() of its name; nullopt if it has no such attribute.
    [[nodiscard]] std::optional<std::string> dax_state(const Dax& dax) const;

    void end_unbind(Dax& dax);
    [[nodiscard]] Dax* find(std::string_view name);
    [[nodiscard]] MemoryBlocks::Span span_of(const PhysRange& range) const;
    [[nodiscard]] PhysRange range_of(MemoryBlocks::Span span) const;
    [[nodiscard]] const ReservedRange* holder_of(const PhysRange& range) const;
    void release(const PhysRange& range);

    [[nodiscard]] Zone default_zone(BlockIndex block, NodeId node) const;
    [[nodiscard]] Zone zone_for(BlockWrite value, BlockIndex block, NodeId node) const;
    [[nodiscard]] bool unmovable(BlockIndex block) const;

    Result<> bind_kmem(Dax& dax, std::optional<Zone> zone);
    Result<> add_ranges(Dax& dax, AutoOnline value, std::optional<Zone> zone);
    Result<> add_range(Dax& dax, std::size_t nth, AutoOnline value, std::optional<Zone> zone);
    Result<> unplug(Dax& dax);
    // The machine is switched on with this in daxX.Y/state.
    void start_in(Dax& dax, HotplugState state);
    Result<> bind_dax_device(Dax& dax, DaxMode mode);
    void online(BlockIndex block, NodeId node, Zone zone);
    void offline(BlockIndex block, NodeId node);
    void add_blocks(MemoryBlocks::Span span, NodeId node, AutoOnline value, std::optional<Zone> zone);
    void add_runs(Dax& dax, const DaxDescription& description);
    bool remove_blocks(MemoryBlocks::Span span);
    void remove_dax(std::string_view name);
    // What follows from its ranges.
    static void measure(DaxDevice& device);

    [[nodiscard]] bool is_dynamic(std::string_view region) const;
    void name_extent(const std::string& region, PhysAddr start);
    [[nodiscard]] Result<std::vector<PhysRange>> place_extents(const Region& region,
                                                               const ExtentRequest& request) const;
    Result<std::string> make_of_extents(const Region& region, const std::vector<PhysRange>& ranges,
                                        DaxMode mode);
    [[nodiscard]] Result<> is_idle(const Dax& dax, std::optional<std::size_t> nth) const;
    void take_range(Dax& dax, std::size_t nth);

    [[nodiscard]] Result<Bytes> free_on(const std::vector<std::string>& memdevs, DaxKind kind) const;
    [[nodiscard]] Result<> place(Region& region, const RegionRequest& request) const;
    [[nodiscard]] NodeId unused_node() const;
    void add_late_dax(std::uint64_t region_generation);

    void add_memory(const LooseMemory& memory);
    [[nodiscard]] std::vector<EndpointDecoder> endpoint_decoders() const;
    [[nodiscard]] const NodeDescription* described(NodeId node) const;
    [[nodiscard]] const NodeDescription* own_memory(NodeId node) const;
    [[nodiscard]] AccessCoordinates access_of(NodeId node) const;
    void tell_performance(NodeId node);
    [[nodiscard]] bool is_performance_known(NodeId node) const;
    [[nodiscard]] bool shows_from_the_start(NodeId node) const;
    [[nodiscard]] AccessCoordinates access_by(const std::vector<std::string>& memdevs) const;
    [[nodiscard]] bool has_memory_online(NodeId node) const;
    [[nodiscard]] int tier_of(NodeId node) const;
    [[nodiscard]] bool tier_has_member(int tier) const;
    [[nodiscard]] std::vector<Node> nodes() const;
    // See Topology; nullopt if no node is described that has memory of its own.
    [[nodiscard]] std::optional<Bytes> kernel_available() const;
    [[nodiscard]] Bytes struct_pages(const DaxDevice& device) const;
    void give_weights(std::vector<Node>& nodes) const;
    [[nodiscard]] Region shown(const Region& region) const;
    [[nodiscard]] std::vector<std::string> above(const Region& region) const;

    void tell(Uevent::Action action, Uevent::Subsystem subsystem, std::string name) const;
    void tell(Uevent::Action action, BlockIndex block) const;
    void disable(Region& region);
    // The kernel that brought daxX.Y/state also tells of things in another order: a new node before its
    // blocks, and a region's driver before its dax device, which is made apart from it (seen on 7.3.4).
    [[nodiscard]] bool is_as_7_3() const { return features_.dax_state; }
    void message(const std::string& line) const {
        if (log_) log_(line);
    }

    UeventSink sink_;
    KernelLog log_;
    Postpone postpone_;
    std::uint64_t late_dax_usec_;
    std::map<std::uint64_t, DaxDescription> late_dax_;  // that are to appear, by their regions' generation
    Bytes block_size_;
    AutoOnline auto_online_;
    Features features_;
    bool kernel_zone_unmovable_;
    TimeModel time_model_;
    std::vector<Memdev> memdevs_;
    std::map<std::string, AccessCoordinates> memdev_access_;
    std::vector<RootDecoder> root_decoders_;
    std::vector<EndpointDecoder> loose_decoders_;  // that hold capacity for no region
    std::vector<Region> regions_;
    std::vector<Dax> dax_devices_;
    std::vector<NodeDescription> nodes_;
    std::vector<ReservedRange> reserved_;
    std::vector<Competitor> competitors_;
    HostFacts host_;
    MemoryBlocks blocks_;
    std::vector<PhysRange> firmware_ram_;  // as blocks
    std::set<NodeId> firmware_nodes_;      // that it is on
    bool firmware_map_;
    std::map<BlockIndex, int> unreadable_;  // errno by block
    std::set<std::string> decoders_with_list_;
    std::map<std::string, NodeId> decoder_nodes_;
    std::vector<std::string> dynamic_regions_;
    bool live_extents_;
    std::map<PhysAddr, std::string> extents_;  // by where they start: "extent0.1"
    std::set<std::uint64_t> disabled_;         // regions without driver, by generation
    std::set<NodeId> performance_known_;       // since their first block came online
    // The same as 7.3 does it: a node's first memory makes the coordinates of a region appear, by generation,
    // and only once while the machine is on; a region that comes later has none (seen on 7.3.4).
    std::map<NodeId, std::uint64_t> told_by_;
    std::set<std::uint64_t> access_shown_;  // of regions, by generation: from the start
    bool interleave_auto_;
    std::map<NodeId, std::uint32_t> interleave_weights_;  // written by somebody; 1 where nobody did
    std::map<NodeId, std::uint32_t> described_weights_;   // see NodeDescription; until somebody writes one
    bool demotion_;
    std::optional<BlockIndex> other_offline_;  // that another actor is in the middle of
    std::uint64_t other_offlines_ = 0;         // so many have begun
    std::uint64_t generation_ = 0;
};

// The error of a kernel operation.
[[nodiscard]] Error kernel_error(std::string object, std::string operation, int errnum, std::string reason);

}  // namespace cxlmemd::emulator
