// SPDX-License-Identifier: LGPL-2.1-or-later
// What the emulated kernel tells user space: one value a uevent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backends/backend.h"
#include "policy/units.h"

namespace cxlmemd::emulator {

struct Uevent {
    enum class Action : std::uint8_t { add, remove, online, offline, bind, unbind };
    enum class Subsystem : std::uint8_t { memory, node, memory_tiering, dax, cxl };

    Action action = Action::add;
    Subsystem subsystem = Subsystem::memory;
    BlockIndex block;  // memory only
    std::string name;  // "dax0.0", "dax_region0", "region0", "node1"; empty for memory

    bool operator==(const Uevent&) const = default;
};

// Called in the thread that acts on the machine, while it acts: must not call back into it.
using UeventSink = std::function<void(const Uevent&)>;

[[nodiscard]] std::string_view to_string(Uevent::Action action);

// What a backend's event source says of it.
[[nodiscard]] Event event_of(const Uevent& uevent);

// "memory online", or "memory" for whatever happens to memory blocks.
struct UeventKind {
    Uevent::Subsystem subsystem = Uevent::Subsystem::memory;
    std::optional<Uevent::Action> action;

    [[nodiscard]] bool matches(const Uevent& uevent) const {
        return subsystem == uevent.subsystem && (!action || *action == uevent.action);
    }
};

[[nodiscard]] std::optional<UeventKind> uevent_kind_from(std::string_view text);

}  // namespace cxlmemd::emulator
