// SPDX-License-Identifier: LGPL-2.1-or-later
// What org.cxlmemd1.Emulator.Inject and the steps of a scenario can make happen: docs/emulator.md, one
// handler an event.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/emulator/agenda.h"
#include "backends/emulator/details.h"
#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/event_path.h"
#include "backends/emulator/event_queue.h"
#include "backends/emulator/faults.h"
#include "backends/emulator/hang.h"
#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

// What an event can act on; borrowed for the call.
struct InjectTarget {
    Machine& machine;
    FaultList& faults;
    EventPath& path;
    EventQueue& queue;
    Hang& hang;
    std::vector<CallerAsk>& asks;
    // That of what has happened, for an order that waited for it.
    std::optional<BlockIndex> block{};
};

// The names of all events.
[[nodiscard]] std::vector<std::string_view> event_names();

// Reads an event and its details; nothing happens, and no machine is needed. Everything that can be wrong
// with them by themselves comes back as problems: the first of them has an empty key if there is no such
// event.
struct ReadOrder {
    Order order;
    std::vector<DetailProblem> problems;
};
[[nodiscard]] ReadOrder read_order(const std::string& event, const InjectDetails& details, std::string place);

// The first problem as Inject says it.
[[nodiscard]] Error order_error(const std::string& event, const DetailProblem& problem);

}  // namespace cxlmemd::emulator
