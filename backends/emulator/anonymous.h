// SPDX-License-Identifier: LGPL-2.1-or-later
// A topology as a stranger may have it: made-up serial numbers and physical addresses, all else as it is.
#pragma once

#include "policy/topology.h"

namespace cxlmemd::emulator {

// Serial numbers replaced by 0x1, 0x2, ... in the order of the cards' hosts: the same for the same machine.
[[nodiscard]] Topology with_made_up_serials(Topology topology);

// Windows, regions, devices and memory blocks moved together: what lies side by side stays so, in the same
// order and with the same alignment to memory blocks, and begins at 0; how wide the gaps were is not said.
// Addresses that nobody gave (0) stay 0.
[[nodiscard]] Topology with_made_up_addresses(Topology topology);

}  // namespace cxlmemd::emulator
