// What org.cxlmemd1.Emulator.Inject can make happen: docs/emulator.md, one handler an event.
#pragma once

#include <string>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/event_queue.h"
#include "backends/emulator/faults.h"
#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

// What an event can act on; borrowed for the call.
struct InjectTarget {
    Machine& machine;
    FaultList& faults;
    EventQueue& queue;
    Hang& hang;
};

// See EmulatorControl::inject(). The caller holds whatever lock protects the target.
[[nodiscard]] Result<> inject(InjectTarget target, const std::string& event, const InjectDetails& details);

}  // namespace cxlmemd::emulator
