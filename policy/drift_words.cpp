// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/drift_words.h"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

#include "policy/plan_words.h"

namespace cxlmemd {

namespace {

std::string words_for(const Block* block) {
    if (block == nullptr) return "not there";
    if (block->state == BlockState::online) return fmt::format("online in {}", zone_words(block->zone));
    return block->state == BlockState::offline ? "offline" : "going offline";
}

}  // namespace

DeviceState state_of(const Topology& topology, const DaxDevice& device) {
    return {device.mode, present_blocks(topology, device)};
}

std::string what_changed(const DeviceState& was, const DeviceState& is) {
    // Blocks by what happened to them.
    std::map<std::pair<std::string, std::string>, std::vector<BlockIndex>> changes;
    const auto note = [&](const Block* before, const Block* after, BlockIndex block) {
        auto key = std::pair{words_for(before), words_for(after)};
        if (key.first != key.second) changes[std::move(key)].push_back(block);
    };
    auto a = was.blocks.begin();
    auto b = is.blocks.begin();
    while (a != was.blocks.end() || b != is.blocks.end()) {
        const bool gone = b == is.blocks.end() || (a != was.blocks.end() && a->index < b->index);
        const bool is_new = a == was.blocks.end() || (b != is.blocks.end() && b->index < a->index);
        note(is_new ? nullptr : &*a, gone ? nullptr : &*b, is_new ? b->index : a->index);
        if (!is_new) ++a;
        if (!gone) ++b;
    }
    std::string out;
    const auto add = [&](const std::string& clause) { out += (out.empty() ? "" : "; ") + clause; };
    if (was.mode != is.mode) add(fmt::format("it was {} and is {}", to_string(was.mode), to_string(is.mode)));
    for (const auto& [change, blocks] : changes) {
        const bool one = blocks.size() == 1;
        add(fmt::format("{} {} {} and {} {}", block_list(blocks), one ? "was" : "were", change.first,
                        one ? "is" : "are", change.second));
    }
    return out;
}

}  // namespace cxlmemd
