// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/block_owners.h"

#include <algorithm>

namespace cxlmemd {

BlockOwners::BlockOwners(const Topology& topology) {
    const std::uint64_t size = topology.block_size.value();
    if (size == 0) return;
    for (std::size_t i = 0; i < topology.dax_devices.size(); ++i) {
        for (const PhysRange& range : topology.dax_devices[i].ranges) {
            const std::uint64_t start = range.start.value();
            const std::uint64_t first = start / size + (start % size != 0 ? 1 : 0);
            const std::uint64_t last = range.end().value() / size;
            if (first < last) stretches_.push_back({first, last, last, i});
        }
    }
    std::ranges::sort(stretches_, {}, &Stretch::first);
    for (std::size_t i = 1; i < stretches_.size(); ++i) {
        stretches_[i].furthest = std::max(stretches_[i].last, stretches_[i - 1].furthest);
    }
}

void BlockOwners::find(BlockIndex block, std::vector<std::size_t>& out) const {
    out.clear();
    auto it = std::ranges::upper_bound(stretches_, block.value(), {}, &Stretch::first);
    while (it != stretches_.begin() && (--it)->furthest > block.value()) {
        if (it->last > block.value()) out.push_back(it->device);
    }
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace cxlmemd
