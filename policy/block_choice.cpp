// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/block_choice.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace cxlmemd {

namespace {

struct Count {
    std::uint64_t blocks = 0;
    bool rounded = false;
};

Count count_of(const Amount& amount, std::uint64_t total, Bytes block_size) {
    return std::visit(
        [&](const auto& wish) -> Count {
            using Wish = std::decay_t<decltype(wish)>;
            if constexpr (std::is_same_v<Wish, AmountAll>) {
                return {total, false};
            } else if constexpr (std::is_same_v<Wish, AmountNone>) {
                return {0, false};
            } else if constexpr (std::is_same_v<Wish, AmountPercent>) {
                const std::uint64_t hundredths = total * std::min<std::uint64_t>(wish.percent, 100);
                return {hundredths / 100, hundredths % 100 != 0};
            } else {
                if (block_size.value() == 0) return {};
                const std::uint64_t blocks = wish.bytes.value() / block_size.value();
                // More than the device has is the whole device: one rule serves cards of any size.
                if (blocks >= total) return {total, false};
                return {blocks, wish.bytes.value() % block_size.value() != 0};
            }
        },
        amount);
}

// Moves the highest of `from`, at most `limit` blocks, to `taken` and what remains to `rest`.
void split(std::vector<BlockIndex> from, std::uint64_t limit, std::vector<BlockIndex>& taken,
           std::vector<BlockIndex>& rest) {
    if (from.size() > limit) {
        const auto cut = from.end() - static_cast<std::ptrdiff_t>(limit);
        rest.insert(rest.end(), from.begin(), cut);
        from.erase(from.begin(), cut);
    }
    taken = std::move(from);
}

// Present blocks by what they are now, whatever is wanted.
struct Present {
    std::vector<Block> online;   // ascending
    std::vector<Block> offline;  // ascending
};

Present sort_out(const Topology& topology, const DaxDevice& device, BlockChoice& out) {
    Present now;
    const std::vector<Block> present = present_blocks(topology, device);
    for (const Block& block : present) {
        switch (block.state) {
            case BlockState::going_offline: out.leaving.push_back(block.index); break;
            case BlockState::online: now.online.push_back(block); break;
            case BlockState::offline:
                if (std::ranges::binary_search(topology.poisoned, block.index)) {
                    out.poisoned.push_back(block.index);
                } else {
                    now.offline.push_back(block);
                }
                break;
        }
    }
    out.absent = out.total - std::min<std::uint64_t>(out.total, present.size());
    return now;
}

bool allowed_in(Zone zone, const Block& block) {
    return zone == Zone::movable ? block.movable_allowed : block.kernel_allowed;
}

// Where online blocks go whose zone is not that of their part.
std::vector<BlockIndex>& conflicting(const Topology& topology, const Goal& goal, ZonePart& part) {
    if (goal.on_conflict == OnConflict::keep) return part.kept;
    return topology.features.memory_hotremove ? part.rezoned : part.stuck_zone;
}

std::vector<BlockIndex>& beyond(const Topology& topology, BlockChoice& out) {
    return topology.features.memory_hotremove ? out.excess : out.stuck_excess;
}

// One zone for all: right ones, wrong ones, offline ones, each highest first, up to the amount.
void choose_one_zone(const Topology& topology, const Goal& goal, const Present& now, BlockChoice& out) {
    ZonePart& part = out.parts.front();
    std::vector<BlockIndex> in_zone;
    std::vector<BlockIndex> elsewhere;
    std::vector<BlockIndex> ready;
    for (const Block& block : now.online)
        (block.zone == part.zone ? in_zone : elsewhere).push_back(block.index);
    for (const Block& block : now.offline)
        (allowed_in(part.zone, block) ? ready : part.barred).push_back(block.index);

    std::uint64_t left = out.wanted;
    std::vector<BlockIndex>& excess = beyond(topology, out);
    split(std::move(in_zone), left, part.right, excess);
    left -= part.right.size();
    std::vector<BlockIndex>& wrong = conflicting(topology, goal, part);
    split(std::move(elsewhere), left, wrong, excess);
    left -= wrong.size();
    std::ranges::sort(excess);
    std::vector<BlockIndex> stays_offline;
    split(std::move(ready), left, part.brought, stays_offline);
}

void bring(ZonePart& part, const Block& block) {
    (allowed_in(part.zone, block) ? part.brought : part.barred).push_back(block.index);
}

// Two zones, by the blocks' places: of the wanted ones the highest movable, those below them for the kernel.
void choose_by_place(const Goal& goal, const std::vector<BlockIndex>& whole, const Present& now,
                     BlockChoice& out) {
    const std::uint64_t first_wanted = out.total - out.wanted;
    const std::uint64_t first_movable = out.total - goal.split->movable_blocks;
    const auto part_of = [&](const Block& block) -> ZonePart* {
        const auto place =
            static_cast<std::uint64_t>(std::ranges::lower_bound(whole, block.index) - whole.begin());
        return place < first_wanted ? nullptr : &out.parts[place < first_movable ? 0 : 1];
    };
    for (const Block& block : now.online) {
        if (ZonePart* part = part_of(block); part == nullptr) {
            out.excess.push_back(block.index);
        } else {
            (block.zone == part->zone ? part->right : part->rezoned).push_back(block.index);
        }
    }
    for (const Block& block : now.offline) {
        if (ZonePart* part = part_of(block); part != nullptr) bring(*part, block);
    }
}

// Two zones, and what is online stays where it is: the others make up for it.
void choose_around_online(const Topology& topology, const Goal& goal, const Present& now, BlockChoice& out) {
    const std::uint64_t limit[] = {out.wanted - goal.split->movable_blocks, goal.split->movable_blocks};
    const std::uint64_t number = std::min<std::uint64_t>(out.wanted, now.online.size());
    const std::uint64_t first = now.online.size() - number;
    std::uint64_t taken[] = {0, 0};
    // The highest of each zone stay for certain.
    std::vector<bool> stays(now.online.size());
    for (std::size_t i = now.online.size(); i-- > first;) {
        const std::size_t mine = now.online[i].zone == Zone::movable ? 1 : 0;
        stays[i] = taken[mine] < limit[mine];
        if (stays[i]) ++taken[mine];
    }
    for (std::size_t i = 0; i < now.online.size(); ++i) {
        const BlockIndex index = now.online[i].index;
        const std::size_t mine = now.online[i].zone == Zone::movable ? 1 : 0;
        if (i < first) {
            beyond(topology, out).push_back(index);
        } else {
            (stays[i] ? out.parts[mine].right : conflicting(topology, goal, out.parts[1 - mine]))
                .push_back(index);
        }
    }
    const std::uint64_t left = std::min<std::uint64_t>(out.wanted - number, now.offline.size());
    const std::uint64_t movable = std::min<std::uint64_t>(left, limit[1] - taken[1]);
    const std::uint64_t first_movable = now.offline.size() - movable;
    for (std::size_t i = now.offline.size() - left; i < now.offline.size(); ++i) {
        bring(out.parts[i < first_movable ? 0 : 1], now.offline[i]);
    }
}

}  // namespace

std::uint64_t BlockChoice::settled() const {
    std::uint64_t out = 0;
    for (const ZonePart& part : parts) out += part.right.size() + part.kept.size();
    return out;
}

std::uint64_t BlockChoice::missing() const {
    std::uint64_t online = settled();
    for (const ZonePart& part : parts)
        online += part.rezoned.size() + part.brought.size() + part.stuck_zone.size();
    return wanted - std::min(wanted, online);
}

BlockChoice choose_blocks(const Topology& topology, const DaxDevice& device, const Goal& goal) {
    BlockChoice out;
    std::vector<BlockIndex> whole = whole_blocks(device, topology.block_size);
    const Count count = count_of(goal.amount, whole.size(), topology.block_size);
    out.total = whole.size();
    out.wanted = count.blocks;
    out.rounded = count.rounded;

    // automatic without a ratio to obey: removable memory is what an expander is bought for.
    Zone zone = goal.zone == ZoneWish::kernel ? Zone::kernel : Zone::movable;
    std::uint64_t movable = out.wanted;
    if (goal.zone == ZoneWish::automatic && goal.split) {
        movable = std::min(out.wanted, goal.split->movable_blocks);
        if (movable == 0) zone = Zone::kernel;
    }
    const bool two = zone == Zone::movable && movable < out.wanted;
    out.parts.resize(two ? 2 : 1);
    out.parts.front().zone = two ? Zone::kernel : zone;

    if (device.mode != DaxMode::system_ram) {
        whole.erase(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(out.wanted));
        if (two) {
            const auto edge = whole.end() - static_cast<std::ptrdiff_t>(movable);
            out.parts[1].brought.assign(edge, whole.end());
            whole.erase(edge, whole.end());
        }
        out.parts[0].brought = std::move(whole);
        return out;
    }
    const Present now = sort_out(topology, device, out);
    if (!two) {
        choose_one_zone(topology, goal, now, out);
    } else if (goal.on_conflict == OnConflict::keep || !topology.features.memory_hotremove) {
        choose_around_online(topology, goal, now, out);
    } else {
        choose_by_place(goal, whole, now, out);
    }
    return out;
}

}  // namespace cxlmemd
