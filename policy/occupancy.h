// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands on a card or a region: whatever would be lost if it were pulled or destroyed now.
//
// One answer for all who ask (removal's plans, Explain, Conflicts, the status of a card). It goes by physical
// address, not by who made what: a dax device of any kind, and a memory block that no dax device has, stand
// on the card whose memory they are. Unknown is never empty: what the kernel did not say
// (Topology::unreadable), and what may stand on this card or on another one, is an occupant too. Pure, any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

struct Occupant {
    enum class Kind : std::uint8_t {
        dax,          // a dax device that is bound, or has memory blocks: can be drained and unbound
        plain_ram,    // blocks that the firmware gave to the kernel as System RAM
        leaked,       // blocks that are left of a dax device; nothing gives them back before a reboot
        unexplained,  // blocks without a dax device, and no firmware map to tell which of the two
        persistent,   // a region of persistent memory without a dax device
        unreadable,   // the kernel did not say
        capacity,     // reserved by a decoder, for no region; holds no memory by itself
        locked,       // a region whose decoders are locked; holds no memory by itself
    };
    Kind kind = Kind::dax;
    std::string
        name;  // of the device, region or decoder; of blocks the dax device they are left of, if known
    // Of blocks, and of a device's blocks that exist.
    BlockIndex first;
    BlockIndex last;
    std::uint64_t blocks = 0;
    std::uint64_t online = 0;  // of these, not offline
    Bytes bytes;               // what it holds
    NodeId node = no_node;     // of blocks; no_node if they are on several
    // It may stand on another card instead: the window it lies in leads to these, and nothing says which one
    // carries it. Empty: it stands here for certain.
    std::vector<std::string> candidates{};
    std::string why{};  // unreadable only: what was not said, and the errno's name

    bool operator==(const Occupant&) const = default;
};

struct Occupancy {
    std::vector<Occupant>
        occupants;  // by kind as above is not their order: dax devices first, then by address
    // The dax devices that stand here for certain, bound or not, in the topology's order. For as long as the
    // topology is as it is.
    std::vector<const DaxDevice*> devices;

    // Pulling or destroying it would lose nothing: no block exists, no device is bound, and nothing is
    // unknown.
    [[nodiscard]] bool is_empty() const;
};

[[nodiscard]] Occupancy occupancy(const Topology& topology, const Memdev& memdev);
[[nodiscard]] Occupancy occupancy(const Topology& topology, const Region& region);

// Memory of the device is on that card for certain.
[[nodiscard]] bool stands_on(const Topology& topology, const DaxDevice& device, const Memdev& memdev);

// What of it no drain can take away: the reason to refuse, most certain first. nullopt: only dax devices
// stand there. Errors: conflict (plain System RAM, persistent memory, or it is not known which card),
// reboot_required (leaked), failed (unreadable: cannot tell; the reason has the errno's name).
[[nodiscard]] std::optional<Error> not_to_be_emptied(const Occupancy& occupancy, const std::string& object,
                                                     const std::string& operation);

// All memory blocks that nobody can give back before a reboot, of the whole machine: those without a dax
// device that the firmware did not give, and those of devices that are not bound to kmem. Those last have the
// device's name.
[[nodiscard]] std::vector<Occupant> leaked_memory(const Topology& topology);

// "16 GiB": a size in a sentence.
[[nodiscard]] std::string size_words(Bytes bytes);
// "4 GiB on node 1 of dax0.0 (memory blocks 34-65, online)"; "dax0.0"; what was not said.
[[nodiscard]] std::string describe(const Occupant& occupant);

}  // namespace cxlmemd
