// SPDX-License-Identifier: LGPL-2.1-or-later
// What is to happen in an emulated machine by itself (docs/emulator.md, Scenarios). A plain value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/emulator/inject_value.h"

namespace cxlmemd::emulator {

// An event of Inject with its details; those that say when ("at", "on.operation", ...) among them.
struct Step {
    std::string event;
    InjectDetails details;
    std::string place;  // "pulled.toml:12", for the log

    bool operator==(const Step&) const = default;
};

struct Scenario {
    // Of everything that happens with a probability: the same seed and the same calls make the same things
    // happen.
    std::uint64_t seed = 1;
    std::vector<Step> steps;  // checked by file.h: each could be injected as it stands

    bool operator==(const Scenario&) const = default;
};

}  // namespace cxlmemd::emulator
