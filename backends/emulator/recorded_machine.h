// SPDX-License-Identifier: LGPL-2.1-or-later
// From what a scan saw to a machine that shows the same.
#pragma once

#include <string>
#include <vector>

#include "backends/emulator/description.h"

namespace cxlmemd::emulator {

struct RecordedMachine {
    MachineDescription description;  // within the limits of a file
    std::vector<std::string>
        differences;  // between the topology and what the machine shows; see differences()
};

// The machine is switched on and looked at, so what it cannot show is known. Pure.
[[nodiscard]] RecordedMachine recorded_machine(const Topology& topology);

}  // namespace cxlmemd::emulator
