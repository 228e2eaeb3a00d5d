// SPDX-License-Identifier: LGPL-2.1-or-later
// A topology as a stranger may have it: made-up serial numbers and physical addresses, all else as it is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "policy/topology.h"

namespace cxlmemd::emulator {

// What every serial number and address is replaced by, for all that is told of one machine over a time: made
// of a topology that has all of it, whenever it was there.
class MadeUp final {
 public:
    explicit MadeUp(const Topology& everything);
    MadeUp(const MadeUp&) = delete;
    MadeUp& operator=(const MadeUp&) = delete;
    ~MadeUp();

    [[nodiscard]] Topology operator()(Topology topology) const;
    // The addresses alone.
    [[nodiscard]] Topology with_addresses_of(Topology topology) const;
    [[nodiscard]] std::uint64_t serial(std::uint64_t serial) const;
    [[nodiscard]] PhysAddr address(PhysAddr address) const;
    [[nodiscard]] BlockIndex block(BlockIndex block) const;

 private:
    class Moved;
    std::map<std::uint64_t, std::uint64_t> serials_;
    std::uint64_t block_size_;
    std::unique_ptr<const Moved> moved_;
};

// Serial numbers replaced by 0x1, 0x2, ... in the order of the cards' hosts: the same for the same machine.
[[nodiscard]] Topology with_made_up_serials(Topology topology);

// Windows, regions, devices and memory blocks moved together: what lies side by side stays so, in the same
// order and with the same alignment to memory blocks, and begins at 0; how wide the gaps were is not said.
// Addresses that nobody gave (0) stay 0.
[[nodiscard]] Topology with_made_up_addresses(Topology topology);

}  // namespace cxlmemd::emulator
