// SPDX-License-Identifier: LGPL-2.1-or-later
// The operations of Backend, as faults and steps name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/units.h"

namespace cxlmemd::emulator {

enum class Operation : std::uint8_t {
    scan,
    read_blocks,
    set_block,
    online,   // set_block to an online state
    offline,  // set_block to offline
    set_mode,
    bind,    // a part of set_mode
    unbind,  // a part of set_mode
    set_hotplug_state,
    destroy_region,
    set_auto_online,
    set_interleave_weight,
    set_interleave_auto,
    set_demotion,
    draft_region,
    create_region,
    clear_region,
};

[[nodiscard]] std::string_view to_string(Operation operation);  // "set_block"
[[nodiscard]] std::optional<Operation> operation_from(std::string_view text);
[[nodiscard]] std::string operation_names();  // "scan, read_blocks, ... or clear_region", for messages

// One call of a backend operation.
struct Call {
    Operation operation;
    Operation narrower;               // online or offline of a set_block; else the same
    std::optional<BlockIndex> block;  // of a set_block
    std::string dax;                  // of set_block, set_mode, bind, unbind and set_hotplug_state

    Call(Operation one) : operation(one), narrower(one) {}  // NOLINT(google-explicit-constructor)
    Call(Operation one, Operation narrow, std::optional<BlockIndex> which, std::string owner)
        : operation(one), narrower(narrow), block(which), dax(std::move(owner)) {}
};

// Which calls are meant: all of the operation, or those on one block or device.
struct CallFilter {
    Operation operation = Operation::scan;
    std::optional<BlockIndex> block;
    std::string dax;

    [[nodiscard]] bool matches(const Call& call) const {
        return (operation == call.operation || operation == call.narrower) &&
               (!block || block == call.block) && (dax.empty() || dax == call.dax);
    }
};

}  // namespace cxlmemd::emulator
