// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/plan_removal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "policy/block_order.h"
#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

Error error(ErrorCode code, std::string object, std::string operation, std::string reason,
            std::string advice = {}) {
    return {.code = code,
            .object = std::move(object),
            .operation = std::move(operation),
            .errnum = 0,
            .reason = std::move(reason),
            .advice = std::move(advice)};
}

// What forbids to begin, whatever the blocks are like.
std::optional<Error> forbidden(const Topology& topology, const DaxDevice& device,
                               const std::string& operation) {
    if (device.mode == DaxMode::system_ram && !topology.features.memory_hotremove) {
        return error(ErrorCode::not_supported, device.id.name, operation,
                     "this kernel cannot hot-remove memory", "use a kernel with CONFIG_MEMORY_HOTREMOVE");
    }
    return std::nullopt;
}

// All are drained first, and only then is one unbound: a pinned block in the last of them leaves the others
// as they were.
JointPlan empty_devices(const Topology& topology, const std::vector<const DaxDevice*>& devices,
                        const std::string& operation) {
    JointPlan plan;
    std::vector<DeviceStep> unbind;
    for (const DaxDevice* device : devices) {
        if (auto no = forbidden(topology, *device, operation)) return {.steps = {}, .blocked = std::move(no)};
        if (device->mode == DaxMode::unbound) continue;
        std::vector<BlockIndex> online;
        for (const Block& block : present_blocks(topology, *device)) {
            if (block.state == BlockState::online) online.push_back(block.index);
            if (block.state == BlockState::going_offline && !plan.blocked) {
                plan.blocked =
                    error(ErrorCode::busy, device->id.name, operation,
                          fmt::format("memory block {} is going offline at this moment", block.index.value()),
                          "try again");
            }
        }
        if (!online.empty()) {
            plan.steps.push_back({device->id,
                                  {.kind = StepKind::offline,
                                   .mode = DaxMode::system_ram,
                                   .zone = Zone::none,
                                   .blocks = offline_order(topology, online)}});
        }
        unbind.push_back(
            {device->id,
             {.kind = StepKind::set_mode, .mode = DaxMode::unbound, .zone = Zone::none, .blocks = {}}});
    }
    if (!plan.blocked) std::ranges::move(unbind, std::back_inserter(plan.steps));
    return plan;
}

}  // namespace

JointPlan plan_region_removal(const Topology& topology, const Region& region) {
    const auto no = [&](ErrorCode code, std::string reason, std::string advice) {
        return JointPlan{.steps = {},
                         .blocked = error(code, region.name, "remove", std::move(reason), std::move(advice))};
    };
    if (region.type == RegionType::pmem) {
        return no(ErrorCode::not_supported,
                  "it is persistent memory: what is stored in it, and who uses it, is not known here",
                  "use ndctl and cxl destroy-region");
    }
    const Occupancy on_it = occupancy(topology, region);
    if (auto stays = not_to_be_emptied(on_it, region.name, "remove"))
        return {.steps = {}, .blocked = std::move(stays)};
    if (region.locked) {
        return no(ErrorCode::not_supported, "the firmware has locked its decoders",
                  "it goes with a reset of the machine, or with a setting of the firmware");
    }
    if (!region.destroyed_first.empty()) {
        return no(ErrorCode::conflict,
                  fmt::format("a card gives its capacity back from its last decoder down, and {} {} above it",
                              fmt::join(region.destroyed_first, ", "),
                              region.destroyed_first.size() == 1 ? "stands" : "stand"),
                  fmt::format("remove {} first", region.destroyed_first.back()));
    }
    JointPlan plan = empty_devices(topology, on_it.devices, "remove");
    if (!plan.blocked) {
        plan.steps.push_back(
            {{},
             {.kind = StepKind::destroy_region, .mode = DaxMode::unbound, .zone = Zone::none, .blocks = {}}});
    }
    return plan;
}

JointPlan plan_memdev_removal(const Topology& topology, const Memdev& memdev) {
    const Occupancy on_it = occupancy(topology, memdev);
    if (auto stays = not_to_be_emptied(on_it, memdev.name, "prepare-remove"))
        return {.steps = {}, .blocked = std::move(stays)};
    return empty_devices(topology, on_it.devices, "prepare-remove");
}

}  // namespace cxlmemd
