// SPDX-License-Identifier: LGPL-2.1-or-later
// From the flight recorder's lines to a file for the emulator: the machine as it was, what others did to it
// as a scenario, what the kernel refused as faults, and everything else as comments. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "backends/emulator/record.h"
#include "daemon/flight_ring.h"
#include "policy/error.h"

namespace cxlmemd {

struct IncidentOrder {
    std::uint64_t since_usec = 0;  // CLOCK_REALTIME
    bool anonymise = false;
    bool for_root = true;  // else without the text of files that not everyone may read, and what quotes it
    emulator::RecordedBy by;
};

// Begins at the last machine that was written before `since_usec`, or at the first one that is kept.
// not_found if there is none; failed, with the place, if the emulator would not take what came out.
[[nodiscard]] Result<std::string> incident_of(const FlightLines& lines, const IncidentOrder& order);

}  // namespace cxlmemd
