// SPDX-License-Identifier: LGPL-2.1-or-later
// What a scenario is run on, real or emulated. One program each: emulator_trace.cpp -> trace_emulator, on the
// host under ctest; linux_trace.cpp -> trace_linux, as root in the VM only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"

namespace cxlmemd::contract {

// One uevent, as the kernel sends it and before udev has it.
struct KernelEvent {
    std::string action;   // "add"
    std::string subject;  // "memory2098", "dax0.0", "node2", "memory_tier22"

    bool operator==(const KernelEvent&) const = default;
};

// Made with two CXL cards at least, with serials from 1 on, no region, and auto_online_blocks `offline`.
// Besides Backend everything goes straight to the kernel, without any check of ours: errors carry its errno.
class TraceMachine {
 public:
    TraceMachine() = default;
    TraceMachine(const TraceMachine&) = delete;
    TraceMachine& operator=(const TraceMachine&) = delete;
    virtual ~TraceMachine() = default;

    virtual Backend& backend() = 0;

    virtual Result<> write_block(BlockIndex block, std::string_view word) = 0;  // memoryN/state
    virtual Result<> write_auto_online(std::string_view word) = 0;              // auto_online_blocks
    virtual Result<> write_dax_state(const std::string& dax, std::string_view word) = 0;  // daxX.Y/state
    virtual Result<> bind(const std::string& dax) = 0;                                    // to kmem
    virtual Result<> unbind(const std::string& dax) = 0;
    // A region of so many bytes on one card, its driver bound; comes back when its dax device is complete.
    virtual Result<> make_region(std::uint64_t serial, Bytes size) = 0;
    virtual Result<> remove_region(const std::string& region) = 0;

    virtual Result<std::string> read_dax_state(const std::string& dax) = 0;
    virtual std::string valid_zones(BlockIndex block) = 0;  // as it reads; empty if it cannot be read

    // What the kernel has told since the last call, in order: all that came of calls that have returned.
    virtual std::vector<KernelEvent> events() = 0;
    // Comes back when the region on that card, which Backend was told to create, has a dax device that is
    // complete, or after some seconds.
    virtual void await_region(std::uint64_t serial) = 0;
};

}  // namespace cxlmemd::contract
