// SPDX-License-Identifier: LGPL-2.1-or-later
// plan_device(): the steps that bring one device to a goal. Which blocks: block_choice.h.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "policy/block_choice.h"
#include "policy/block_order.h"
#include "policy/decide.h"
#include "policy/plan_words.h"
#include "policy/state_plan.h"

namespace cxlmemd {

namespace {

Error error(ErrorCode code, const DaxDevice& device, std::string operation, std::string reason,
            std::string advice = {}) {
    return Error{.code = code,
                 .object = device.id.name,
                 .operation = std::move(operation),
                 .errnum = 0,
                 .reason = std::move(reason),
                 .advice = std::move(advice)};
}

Step set_mode(DaxMode mode) {
    return Step{.kind = StepKind::set_mode, .mode = mode, .zone = Zone::none, .blocks = {}};
}

std::vector<BlockIndex> both(const std::vector<BlockIndex>& a, const std::vector<BlockIndex>& b) {
    std::vector<BlockIndex> out;
    out.reserve(a.size() + b.size());
    std::ranges::merge(a, b, std::back_inserter(out));
    return out;
}

void add_offline(DevicePlan& plan, const Topology& topology, const std::vector<BlockIndex>& ascending) {
    if (ascending.empty()) return;
    plan.steps.push_back(Step{.kind = StepKind::offline,
                              .mode = DaxMode::system_ram,
                              .zone = Zone::none,
                              .blocks = offline_order(topology, ascending)});
}

void add_online(DevicePlan& plan, Zone zone, std::vector<BlockIndex> ascending) {
    if (ascending.empty()) return;
    plan.steps.push_back(Step{.kind = StepKind::online,
                              .mode = DaxMode::system_ram,
                              .zone = zone,
                              .blocks = online_order(std::move(ascending))});
}

}  // namespace

namespace {

// Whether the goal is reached by the device's driver as it is now.
bool has_its_driver(const DaxDevice& device, const Goal& goal) {
    switch (goal.mode) {
        case ModeWish::ignore: return true;
        case ModeWish::system_ram: return device.mode == DaxMode::system_ram;
        case ModeWish::devdax: return device.mode == DaxMode::devdax;
        case ModeWish::famfs: return device.mode == DaxMode::famfs;
    }
    return true;
}

}  // namespace

std::optional<Error> forbidden(const Topology& topology, const DaxDevice& device, const Goal& goal) {
    if (reboot_required(topology, device)) {
        return error(ErrorCode::reboot_required, device, "plan",
                     "its memory is leaked: it was unbound from kmem while memory blocks of it were online, "
                     "and nobody can take them offline or give them back before a reboot",
                     "reboot to get the memory back");
    }
    if (goal.mode == ModeWish::system_ram && device.target_node.value() < 0) {
        return error(ErrorCode::invalid_argument, device, "online",
                     fmt::format("invalid node: {}; the kernel cannot place its memory on any node",
                                 device.target_node.value()),
                     "check the firmware's SRAT and CFMWS tables");
    }
    if (goal.mode == ModeWish::system_ram && topology.block_size.value() == 0) {
        return error(ErrorCode::not_supported, device, "online",
                     "the kernel has no memory blocks: it was built without memory hotplug");
    }
    if (goal.mode == ModeWish::system_ram && whole_blocks(device, topology.block_size).empty()) {
        return error(ErrorCode::invalid_argument, device, "online",
                     fmt::format("no whole memory block of {} fits into its ranges: nothing is left after "
                                 "alignment",
                                 format_size(topology.block_size)),
                     "make the region larger, or use the device as devdax");
    }
    if (const Unreadable* unknown = find_unreadable(topology, device);
        unknown != nullptr && !has_its_driver(device, goal)) {
        Error cannot_tell = error(ErrorCode::failed, device, "plan",
                                  "cannot tell what its memory is used for: " + describe(*unknown),
                                  "its driver stays as it is until that can be read");
        cannot_tell.errnum = unknown->errnum;
        return cannot_tell;
    }
    if (!goal.require_node.empty() &&
        std::ranges::find(goal.require_node, device.target_node) == goal.require_node.end()) {
        return error(ErrorCode::conflict, device, "plan",
                     fmt::format("its memory lands on node {}, and require_node asks for {}",
                                 device.target_node.value(), node_words(goal.require_node)));
    }
    return std::nullopt;
}

Bytes struct_page_bytes(const Topology& topology, const DaxDevice& device) {
    if (device.memmap_on_memory) return {};
    // 64 bytes for each page of 4 KiB, which sparse_add_section() takes for every block that kmem adds.
    return Bytes{(device.size.value() - stranded_bytes(device, topology.block_size).value()) / 64};
}

namespace {

constexpr std::uint64_t least_reserve = 64ULL << 20;
constexpr std::uint64_t reserve_part = 32;  // of the memory in kernel zones

// The kernel takes struct pages for the whole device when it is bound, wherever its blocks go later.
std::optional<Error> starves_kernel(const Topology& topology, const DaxDevice& device, Bytes promised) {
    if (!topology.kernel_available) return std::nullopt;
    std::uint64_t in_kernel_zones = 0;
    for (const Node& node : topology.nodes) in_kernel_zones += node.bytes_kernel.value();
    const std::uint64_t reserve = std::max(least_reserve, in_kernel_zones / reserve_part);
    const Bytes need = struct_page_bytes(topology, device);
    if (need.value() + promised.value() + reserve <= topology.kernel_available->value()) return std::nullopt;
    return error(
        ErrorCode::conflict, device, "online",
        fmt::format("its struct pages would take {} from the kernel zones, which cannot give that now and "
                    "keep {} in reserve",
                    format_size(need), format_size(Bytes{reserve})),
        "free or add kernel memory, use a smaller region, or boot with memory_hotplug.memmap_on_memory=1");
}

// What keeps a choice from reaching the amount or the zone. The gravest cause gives the code.
std::optional<Error> obstacle(const Topology& topology, const DaxDevice& device, const BlockChoice& choice) {
    const Unreadable* unknown = find_unreadable(topology, device);
    std::string words = obstacle_words(choice, unknown);
    if (words.empty()) return std::nullopt;
    const auto any = [&](std::vector<BlockIndex> ZonePart::*list) {
        return std::ranges::any_of(choice.parts, [&](const ZonePart& part) { return !(part.*list).empty(); });
    };
    if (any(&ZonePart::stuck_zone) || !choice.stuck_excess.empty()) {
        return error(ErrorCode::not_supported, device, "offline", std::move(words),
                     "use a kernel with CONFIG_MEMORY_HOTREMOVE");
    }
    if (any(&ZonePart::barred)) return error(ErrorCode::conflict, device, "online", std::move(words));
    if (!choice.leaving.empty()) return error(ErrorCode::busy, device, "online", std::move(words));
    if (choice.absent != 0 && unknown != nullptr) {
        Error cannot_tell =
            error(ErrorCode::failed, device, "online", std::move(words), "they stay as they are until then");
        cannot_tell.errnum = unknown->errnum;
        return cannot_tell;
    }
    return error(ErrorCode::failed, device, "online", std::move(words),
                 "the kernel log says why kmem did not add them");
}

// The kernel's part first: memory that the kernel can use must not wait for memory that it cannot.
void add_block_steps(DevicePlan& plan, const Topology& topology, const BlockChoice& choice) {
    std::vector<BlockIndex> leaves = choice.excess;
    for (const ZonePart& part : choice.parts) leaves = both(leaves, part.rezoned);
    add_offline(plan, topology, leaves);
    for (const ZonePart& part : choice.parts) add_online(plan, part.zone, both(part.rezoned, part.brought));
}

DevicePlan plan_bound(const Topology& topology, const DaxDevice& device, const Goal& goal) {
    const BlockChoice choice = choose_blocks(topology, device, goal);
    DevicePlan plan;
    plan.blocks_wanted = choice.wanted;
    plan.blocks_right = choice.settled();
    plan.steps = steps_by_state(topology, device, goal, choice);
    if (plan.steps.empty()) add_block_steps(plan, topology, choice);
    plan.blocked = obstacle(topology, device, choice);
    plan.reason = plan.blocked && plan.steps.empty() ? plan.blocked->reason
                                                     : choice_words(topology, device, goal, choice);
    plan.reason += state_words(topology, device, goal, plan.steps);
    if (plan.blocked && !plan.steps.empty()) plan.reason += "; but " + plan.blocked->reason;
    return plan;
}

// The kernel takes no blocks back by themselves: they come when kmem is bound, or by an online value in its
// state, with all of them online.
DevicePlan plan_unplugged(const Topology& topology, const DaxDevice& device, const Goal& goal) {
    const Topology bound = bound_alone(topology, device);
    DaxDevice unbound = device;
    unbound.mode = DaxMode::unbound;
    const BlockChoice choice = choose_blocks(topology, unbound, goal);
    DevicePlan plan;
    plan.steps = steps_by_state(topology, device, goal, choice);
    if (plan.steps.empty()) {
        plan = plan_bound(bound, bound.dax_devices.front(), goal);
        plan.steps.insert(plan.steps.begin(), {set_mode(DaxMode::unbound), set_mode(DaxMode::system_ram)});
        plan.reason =
            "its state reads 'unplugged': its memory was taken from the kernel, and it is unbound "
            "first; " +
            choice_words(topology, unbound, goal, choice);
        if (plan.blocked) plan.reason += "; but " + plan.blocked->reason;
    } else {
        plan.blocks_wanted = choice.wanted;
        plan.reason = fmt::format(
            "its state reads 'unplugged': its memory was taken from the kernel; {} will "
            "come online in {}{}",
            choice.wanted == 1 ? "1 block" : fmt::format("{} blocks", choice.wanted),
            zone_words(choice.parts.front().zone), state_words(topology, device, goal, plan.steps));
    }
    plan.blocks_right = 0;
    return plan;
}

DevicePlan plan_system_ram(const Topology& topology, const DaxDevice& device, const Goal& goal,
                           Bytes promised) {
    const bool was_unplugged = is_unplugged(topology, device) && topology.features.memory_hotremove &&
                               goal.amount != Amount{AmountNone{}};
    if (device.mode == DaxMode::system_ram && !was_unplugged) return plan_bound(topology, device, goal);
    if (std::optional<Error> error = starves_kernel(topology, device, promised)) {
        DevicePlan plan;
        plan.reason = error->reason;
        plan.blocked = std::move(error);
        return plan;
    }
    if (was_unplugged) return plan_unplugged(topology, device, goal);
    // What comes after the bind is planned on what the bind will lead to: the kernel may online blocks
    // itself.
    const Topology bound = bound_alone(topology, device);
    DevicePlan plan = plan_bound(bound, bound.dax_devices.front(), goal);
    plan.steps.insert(plan.steps.begin(), set_mode(DaxMode::system_ram));
    plan.blocks_right = 0;
    plan.reason = choice_words(topology, device, goal, choose_blocks(topology, device, goal));
    if (plan.blocked) plan.reason += "; but " + plan.blocked->reason;
    return plan;
}

// devdax or famfs: the device's memory is no longer the kernel's.
DevicePlan plan_file(const Topology& topology, const DaxDevice& device, DaxMode mode) {
    const std::string_view word = to_string(mode);
    DevicePlan plan;
    if (device.mode == mode) {
        plan.reason = fmt::format("the device is in mode {}", word);
        return plan;
    }
    if (mode == DaxMode::famfs && !topology.features.famfs) {
        plan.blocked = error(ErrorCode::not_supported, device, "set mode famfs",
                             "there is no driver for famfs here (fsdev_dax)",
                             "use a kernel with CONFIG_DEV_DAX_FS and load the module fsdev_dax");
        plan.reason = plan.blocked->reason;
        return plan;
    }
    if (device.mode != DaxMode::system_ram) {
        plan.steps.push_back(set_mode(mode));
        plan.reason =
            device.mode == DaxMode::unbound
                ? fmt::format("the device is unbound and will be bound as {}", word)
                : fmt::format("the device is in mode {} and will change to {}", to_string(device.mode), word);
        return plan;
    }
    // Without hot-remove kmem keeps the range at unbind even if every block is offline: a leak.
    if (!topology.features.memory_hotremove) {
        plan.blocked = error(ErrorCode::not_supported, device, fmt::format("set mode {}", word),
                             "the device stays in mode system-ram: this kernel cannot hot-remove memory",
                             "use a kernel with CONFIG_MEMORY_HOTREMOVE");
        plan.reason = plan.blocked->reason;
        return plan;
    }
    std::vector<BlockIndex> online;
    std::vector<BlockIndex> leaving;
    for (const Block& block : present_blocks(topology, device)) {
        if (block.state == BlockState::online) online.push_back(block.index);
        if (block.state == BlockState::going_offline) leaving.push_back(block.index);
    }
    plan.reason = fmt::format("the device is in mode system-ram and will change to {}", word);
    if (!online.empty()) plan.reason += fmt::format(", after {} taken offline", blocks_are(online.size()));
    add_offline(plan, topology, online);
    if (leaving.empty()) {
        plan.steps.push_back(set_mode(mode));
    } else {
        // It may yet fail and be online again: only the next look can tell whether to unbind.
        plan.blocked = error(ErrorCode::busy, device, fmt::format("set mode {}", word),
                             fmt::format("{} {} going offline at this moment", block_list(leaving),
                                         leaving.size() == 1 ? "is" : "are"));
        plan.reason =
            plan.steps.empty() ? plan.blocked->reason : plan.reason + "; but " + plan.blocked->reason;
    }
    return plan;
}

}  // namespace

DevicePlan plan_device(const Topology& topology, const DaxDevice& device, const Goal& goal,
                       Bytes kernel_promised) {
    if (goal.mode == ModeWish::ignore) {
        DevicePlan plan;
        plan.reason = "mode = ignore leaves it alone";
        return plan;
    }
    if (std::optional<Error> error = forbidden(topology, device, goal)) {
        DevicePlan plan;
        plan.reason = error->reason;
        plan.blocked = std::move(error);
        return plan;
    }
    if (goal.mode == ModeWish::devdax) return plan_file(topology, device, DaxMode::devdax);
    if (goal.mode == ModeWish::famfs) return plan_file(topology, device, DaxMode::famfs);
    return plan_system_ram(topology, device, goal, kernel_promised);
}

}  // namespace cxlmemd
