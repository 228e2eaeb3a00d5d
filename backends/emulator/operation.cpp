// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/operation.h"

#include <array>

namespace cxlmemd::emulator {

namespace {

constexpr std::array all{
    Operation::scan,
    Operation::read_blocks,
    Operation::set_block,
    Operation::online,
    Operation::offline,
    Operation::set_mode,
    Operation::bind,
    Operation::unbind,
    Operation::set_hotplug_state,
    Operation::destroy_region,
    Operation::set_auto_online,
    Operation::set_interleave_weight,
    Operation::set_interleave_auto,
    Operation::set_demotion,
    Operation::draft_region,
    Operation::create_region,
    Operation::clear_region,
};

}  // namespace

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::scan: return "scan";
        case Operation::read_blocks: return "read_blocks";
        case Operation::set_block: return "set_block";
        case Operation::online: return "online";
        case Operation::offline: return "offline";
        case Operation::set_mode: return "set_mode";
        case Operation::bind: return "bind";
        case Operation::unbind: return "unbind";
        case Operation::set_hotplug_state: return "set_hotplug_state";
        case Operation::destroy_region: return "destroy_region";
        case Operation::set_auto_online: return "set_auto_online";
        case Operation::set_interleave_weight: return "set_interleave_weight";
        case Operation::set_interleave_auto: return "set_interleave_auto";
        case Operation::set_demotion: return "set_demotion";
        case Operation::draft_region: return "draft_region";
        case Operation::create_region: return "create_region";
        case Operation::clear_region: return "clear_region";
    }
    return "scan";
}

std::optional<Operation> operation_from(std::string_view text) {
    for (const Operation operation : all) {
        if (to_string(operation) == text) return operation;
    }
    return std::nullopt;
}

std::string operation_names() {
    std::string out;
    for (const Operation operation : all) {
        if (!out.empty()) out += operation == all.back() ? " or " : ", ";
        out += to_string(operation);
    }
    return out;
}

}  // namespace cxlmemd::emulator
