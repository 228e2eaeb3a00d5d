// SPDX-License-Identifier: LGPL-2.1-or-later
// Where facts come from and actions go. Two implementations: backends/linux and backends/emulator;
// both pass tests/contract.
//
// Two halves, because two threads use them and share nothing mutable:
//  - Backend belongs to the worker thread. Its calls may block; a blocked call returns
//    ErrorCode::canceled (EINTR) when the worker gets a signal without SA_RESTART.
//  - EventSource belongs to the loop thread. It never blocks. An event only says "look again":
//    lost, doubled or reordered events change nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/region_draft.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

struct Event {
    enum class Scope : std::uint8_t {
        everything,  // scan() again
        block,       // read_blocks({block}) is enough
    };
    Scope scope = Scope::everything;
    BlockIndex block;
    // For the log and for canceling what is in flight on a device that has gone (R7); may be empty.
    std::string subject;  // "dax0.0"
    bool removed = false;
    // The last event of what made the subject: there is no point in waiting for more before looking.
    bool complete = false;
    // One of many, and what belongs to them is not all there yet: look at everything once no more have come
    // for a while. The scope says nothing.
    bool growing = false;

    bool operator==(const Event&) const = default;
};

class EventSource {
 public:
    EventSource() = default;
    EventSource(const EventSource&) = delete;
    EventSource& operator=(const EventSource&) = delete;
    virtual ~EventSource() = default;

    // Readable (POLLIN) when take() has something to give. Stays the same for the source's life.
    [[nodiscard]] virtual int fd() const = 0;

    // What has happened since the last call, at most a few hundred at a time; after an overflow one
    // event of scope everything. Never blocks. Empty if there is nothing.
    [[nodiscard]] virtual std::vector<Event> take() = 0;
};

enum class BlockTarget : std::uint8_t { offline, online_kernel, online_movable };

[[nodiscard]] std::string_view to_string(BlockTarget target);  // as memoryN/state takes it

class Backend {
 public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    [[nodiscard]] virtual std::string_view name() const = 0;  // "linux", "emulator"

    // The whole topology, fresh from the kernel. A machine with no CXL and no dax bus is an empty
    // topology, no error.
    [[nodiscard]] virtual Result<Topology> scan() = 0;

    // The same in less time, when it is memory that has changed and scan() follows: memdevs, root decoders
    // and regions may be as the last scan() found them, if the devices of the CXL bus are still the same
    // ones.
    [[nodiscard]] virtual Result<Topology> scan_memory() { return scan(); }

    // The blocks of `indices` that exist now, in the order asked for.
    [[nodiscard]] virtual Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) = 0;

    // Brings one block to a state: one open, write, close. `owner` is looked at first: if it is no
    // longer that incarnation, or not bound to kmem, ErrorCode::gone and nothing is written (R7).
    // Errors carry the kernel's errno. Says nothing about a block that is already there: the kernel
    // answers EINVAL to any online of an online block; the caller looks afterwards (R15). A block that
    // exists but does not lie wholly in `owner` is invalid_argument.
    [[nodiscard]] virtual Result<> set_block(const DaxIdentity& owner, BlockIndex block,
                                             BlockTarget target) = 0;

    // For which blocks set_block() is called next, in that order; a backend may get ready for them, and does
    // nothing that anybody sees. Promises nothing: they may stay away. None: it is over.
    virtual void expect_blocks(const DaxIdentity& /*owner*/, std::span<const BlockIndex> /*blocks*/) {}

    // How long set_block() has been inside the kernel's write(2), all calls so far together; microseconds. 0
    // where no kernel is asked.
    [[nodiscard]] virtual std::uint64_t usec_in_writes() const { return 0; }

    // Binds the device to the driver of `mode` (unbound: to none). Checks identity (R7), and refuses
    // with ErrorCode::busy, naming the blocks, while a single block of it is online or going offline
    // (R11); with reboot_required if its memory is leaked (R11); with invalid_argument if the
    // target node is negative (R8) or no whole block fits (R9) and the mode is system_ram. EBUSY at
    // bind: the message names what holds the range, from iomem, where that can be read (R10).
    // Where daxX.Y/state exists, kmem is left through "unplugged", which is atomic. The mode that it is
    // in already is success and changes nothing.
    [[nodiscard]] virtual Result<> set_mode(const DaxIdentity& device, DaxMode mode) = 0;

    // Writes daxX.Y/state (7.3; drivers/dax/kmem.c): one call in which the kernel takes all blocks of the
    // device offline and away (unplugged), or adds all and brings them online, lowest first. It may take
    // long, and the blocks show how far it is. A signal ends an unplug (canceled; everything is as it was),
    // not an online. Identity as for set_block; not_supported if the device has no state or the kernel cannot
    // hot-remove. Errors carry the kernel's errno: EBUSY for an online value in a device that is not
    // unplugged (also if its blocks are online already), and for memory that cannot be given up, of which
    // none is then; EINVAL for offline, which nobody can write. That a block is not online after an online
    // value is no error: the caller looks afterwards. What it reads already is success and changes nothing.
    // `progress` is called now and then with the number of blocks that have come or gone, on any thread,
    // never after the call.
    using Progress = std::function<void(std::uint64_t blocks)>;
    [[nodiscard]] virtual Result<> set_hotplug_state(const DaxIdentity& device, HotplugState state,
                                                     const Progress& progress) = 0;

    // Disables a region and destroys it, and gives its capacity back to its cards. Looks at the kernel
    // first, and changes nothing with gone if it is not that region any more (R7); busy while one of its
    // memory blocks is not offline or one of its dax devices is bound (R11); reboot_required if blocks of
    // it exist that no driver can remove (R11); conflict, naming what, if something stands above it on a
    // card (Region::destroyed_first); not_supported for persistent memory and locked decoders. If the
    // kernel refuses half-way, the region is left disabled, the message says so, and calling again goes
    // on from there.
    [[nodiscard]] virtual Result<> destroy_region(const RegionIdentity& region) = 0;

    // Writes auto_online_blocks.
    [[nodiscard]] virtual Result<> set_auto_online(AutoOnline value) = 0;

    // Writes weighted_interleave/nodeN, 1 to 255; the kernel's automatic mode ends with that. not_supported
    // on a kernel without weighted interleave, not_found for a node that is not there.
    [[nodiscard]] virtual Result<> set_interleave_weight(NodeId node, std::uint32_t weight) = 0;
    // Writes weighted_interleave/auto. not_supported on a kernel without that mode, and (ENODEV) to switch it
    // on again while the kernel knows the bandwidth of no node.
    [[nodiscard]] virtual Result<> set_interleave_auto(bool on) = 0;
    // Writes numa/demotion_enabled. not_supported on a kernel without demotion.
    [[nodiscard]] virtual Result<> set_demotion(bool on) = 0;

    // Finds out what making this region would take; changes nothing. gone if a member is not that
    // incarnation any more (R7), busy if a card has no decoder free or is not set up yet.
    [[nodiscard]] virtual Result<RegionDraft> draft_region(const RegionOrder& order) = 0;
    // Makes the region and binds its driver. What was done is undone in reverse if a later part fails (R2).
    [[nodiscard]] virtual Result<> create_region(const RegionDraft& draft) = 0;
    // Takes back what a create_region() left that was killed or could not undo. A region that is complete
    // (its driver is bound) stays, and so does what is not of that trace. Nothing there is success.
    [[nodiscard]] virtual Result<> clear_region(const RegionTrace& trace) = 0;
};

// A backend as main() makes it.
struct BackendPair {
    std::unique_ptr<Backend> worker_side;
    std::unique_ptr<EventSource> loop_side;
};

}  // namespace cxlmemd
