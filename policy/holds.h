// SPDX-License-Identifier: LGPL-2.1-or-later
// What policy keeps its hands off: dax devices that an administrator holds, and everything on cards that are
// to be pulled. Pure, any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

// Which card this is, whatever the kernel calls it. A serial alone does not say it: cards without one of
// their own report 0, and several cards may carry the same.
struct CardKey {
    std::uint64_t serial = 0;
    std::string host;  // Memdev::host

    auto operator<=>(const CardKey&) const = default;
};

[[nodiscard]] CardKey card_of(const Memdev& memdev);
[[nodiscard]] const Memdev* find_memdev(const Topology& topology, const CardKey& card);
[[nodiscard]] std::string to_string(const CardKey& card);  // "serial 0x1 at 0000:0d:00.0"

// How far the removal of a card has come.
enum class CardState : std::uint8_t {
    emptying,  // a job drains and unbinds what stands on it
    ready,     // it was emptied: the card may be pulled unless memory has appeared on it since
};

struct Holds {
    std::unordered_set<std::string> devices;  // by hold_key()
    std::map<CardKey, CardState> cards;

    [[nodiscard]] bool empty() const { return devices.empty() && cards.empty(); }
    bool operator==(const Holds&) const = default;
};

// A key that survives reboots better than names do: "serials 0x1,0x2 at 0x590000000" for CXL, "hmem at 0x..."
// else. With hosts, "serials 0x0@0000:d3:00.0 at 0x...", if a serial does not tell which card it is.
[[nodiscard]] std::string hold_key(const Topology& topology, const DaxDevice& device);
// Every key under which a hold of the device may stand: serials may have become ambiguous, or unique, since.
[[nodiscard]] std::vector<std::string> hold_keys(const Topology& topology, const DaxDevice& device);

[[nodiscard]] bool is_held_by_hand(const Holds& holds, const Topology& topology, const DaxDevice& device);
// The first card below the device that is being emptied or ready to be pulled; null if none is.
[[nodiscard]] const Memdev* card_to_be_pulled(const Holds& holds, const Topology& topology,
                                              const DaxDevice& device);
[[nodiscard]] bool is_held(const Holds& holds, const Topology& topology, const DaxDevice& device);

// "being emptied for its removal", "prepared for its removal"
[[nodiscard]] std::string_view words_of(CardState state);

// The memdevs of the device's region, in interleave order.
[[nodiscard]] std::vector<const Memdev*> memdevs_below(const Topology& topology, const DaxDevice& device);

// Every memdev that carries memory of the device, by address if it has no region (occupancy.h).
[[nodiscard]] std::vector<const Memdev*> cards_below(const Topology& topology, const DaxDevice& device);

// Memory of the device is, or may at once be, in use: a driver has it, or blocks of it exist.
[[nodiscard]] bool is_occupied(const Topology& topology, const DaxDevice& device);
// Nothing on the card is occupied.
[[nodiscard]] bool is_drained(const Topology& topology, const Memdev& memdev);

}  // namespace cxlmemd
