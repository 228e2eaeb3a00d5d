// What the emulated kernel tells user space: one value a uevent.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

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

}  // namespace cxlmemd::emulator
