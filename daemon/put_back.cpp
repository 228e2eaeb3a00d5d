#include "daemon/put_back.h"

#include <algorithm>
#include <utility>

#include "policy/block_order.h"

namespace cxlmemd {

std::optional<DeviceStep> put_back_step(const Job& job, const Topology& topology) {
    for (const DaxDevice* device : devices_of(topology, job.order.target)) {
        const auto left =
            std::ranges::find(job.undo.unbound, device->id, [](const auto& e) { return e.first; });
        if (left != job.undo.unbound.end()) {
            return DeviceStep{
                device->id,
                {.kind = StepKind::set_mode, .mode = left->second, .zone = Zone::none, .blocks = {}}};
        }
        if (device->mode != DaxMode::system_ram) continue;  // somebody else unbound it: nothing to put back
        const std::vector<BlockIndex> own = whole_blocks(*device, topology.block_size);
        for (const Zone zone : {Zone::kernel, Zone::movable}) {
            Step step{.kind = StepKind::online, .mode = DaxMode::system_ram, .zone = zone, .blocks = {}};
            for (const auto& [block, from] : job.undo.taken) {
                const Block* now = find_block(topology, block);
                const bool offline = now != nullptr && now->state == BlockState::offline;
                if (from != zone || !offline || job.failures.given_up.contains(block)) continue;
                if (std::ranges::binary_search(own, block)) step.blocks.push_back(block);
            }
            if (step.blocks.empty()) continue;
            step.blocks = online_order(std::move(step.blocks));
            return DeviceStep{device->id, std::move(step)};
        }
    }
    return std::nullopt;
}

}  // namespace cxlmemd
