// SPDX-License-Identifier: LGPL-2.1-or-later
// What a trace says of how things are: through Backend, and where Backend leaves something out, as the kernel
// says it.
#include <fmt/format.h>

#include <algorithm>

#include "tests/contract/trace_run.h"

namespace cxlmemd::contract {

namespace {

std::string_view yes_or_no(bool truth) {
    return truth ? "yes" : "no";
}

std::string_view known_or_not(const AccessCoordinates& access) {
    return access == AccessCoordinates{} ? "unknown" : "known";
}

std::string state_of(const Block& block) {
    switch (block.state) {
        case BlockState::offline: return "offline";
        case BlockState::going_offline: return "going-offline";
        case BlockState::online: return fmt::format("online {}", to_string(block.zone));
    }
    return {};
}

}  // namespace

void TraceRun::show(const ScenarioStep& step, const TraceDevice& device) {
    switch (step.verb) {
        case Verb::show_blocks: return show_blocks(device);
        case Verb::show_dax: return show_dax(device);
        case Verb::show_node: return show_node(device);
        case Verb::show_region: {
            const Topology topology = look();
            const Region* region = device.id ? find_region(topology, *device.id) : nullptr;
            if (region == nullptr) return say(fmt::format("region{} absent", device.name()));
            return say(fmt::format("region{} coordinates {}", device.name(), known_or_not(region->access)));
        }
        case Verb::show_settings: return show_settings();
        default: break;
    }
}

void TraceRun::show_blocks(const TraceDevice& device) {
    std::vector<std::string> words;
    for (const BlockIndex index : device.blocks) {
        const auto found = machine_.backend().read_blocks({&index, 1});
        words.push_back(!found || found->empty() ? "absent"
                                                 : fmt::format("{}, valid zones {}", state_of(found->front()),
                                                               machine_.valid_zones(index)));
    }
    for (std::size_t i = 0; i < words.size();) {
        std::size_t end = i;
        while (end < words.size() && words[end] == words[i]) ++end;
        say(end - i == 1 ? fmt::format("{}[{}] {}", device.name(), i, words[i])
                         : fmt::format("{}[{}..{}] {}", device.name(), i, end - 1, words[i]));
        i = end;
    }
}

void TraceRun::show_dax(const TraceDevice& device) {
    const Topology topology = look();
    const DaxDevice* dax = device.dax ? find_dax(topology, device.dax->id) : nullptr;
    if (dax == nullptr) return say(fmt::format("dax{} absent", device.name()));
    const auto state = machine_.read_dax_state(dax->id.name);
    say(fmt::format("dax{} {}, state {}, lost until reboot: {}", device.name(), to_string(dax->mode),
                    state ? *state : errno_name(state.error().errnum),
                    yes_or_no(reboot_required(topology, *dax))));
}

void TraceRun::show_node(const TraceDevice& device) {
    const Topology topology = look();
    const Node* node = find_node(topology, device.node);
    const std::string name = names_.subject(fmt::format("node{}", device.node.value()));
    if (node == nullptr) return say(name + " absent");
    const std::uint64_t block = std::max<std::uint64_t>(topology.block_size.value(), 1);
    say(fmt::format("{} kernel {}, movable {}, tier {}, coordinates {}, weight {}", name,
                    node->bytes_kernel.value() / block, node->bytes_movable.value() / block,
                    node->tier ? fmt::format("{}", *node->tier) : "none", known_or_not(node->access),
                    node->interleave_weight ? fmt::format("{}", *node->interleave_weight) : "none"));
}

void TraceRun::show_settings() {
    const Topology topology = look();
    const auto word = [](const std::optional<bool>& on) { return !on ? "absent" : *on ? "on" : "off"; };
    say(fmt::format("auto_online_blocks {}, demotion {}, automatic weights {}",
                    to_string(topology.auto_online), word(topology.demotion_enabled),
                    word(topology.interleave_auto)));
}

}  // namespace cxlmemd::contract
