// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/faults.h"

#include <utility>

namespace cxlmemd::emulator {

bool FaultList::add(Fault fault) {
    if (pending_.size() >= most) return false;
    Dice own{seed_ ^ Dice{++added_}.next()};
    pending_.push_back({std::move(fault), own, 0});
    return true;
}

std::vector<Fault> FaultList::strike(const Call& call) {
    std::vector<Fault> out;
    for (Pending& pending : pending_) {
        const Fault& fault = pending.fault;
        if (!fault.which.matches(call)) continue;
        ++pending.seen;
        if (fault.when.includes(pending.seen) && pending.dice.falls(fault.when.probability)) {
            out.push_back(fault);
        }
    }
    std::erase_if(pending_, [](const Pending& pending) { return pending.fault.when.spent(pending.seen); });
    return out;
}

}  // namespace cxlmemd::emulator
