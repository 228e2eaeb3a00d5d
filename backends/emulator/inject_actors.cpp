// SPDX-License-Identifier: LGPL-2.1-or-later
// What other processes do behind our back.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "backends/emulator/inject_handlers.h"
#include "policy/text.h"

namespace cxlmemd::emulator::handlers {

namespace {

constexpr std::uint64_t most_blocks = 1ULL << 20;

// `block` (a number, or "same"), or `dax` with `nth` (0 is its first whole block); `count` blocks from there.
class BlockChoice final {
 public:
    explicit BlockChoice(Details& details) : event_(details.event()) {
        same_ = details.text_is("block", "same");
        if (!same_) block_ = details.number("block");
        dax_ = details.text("dax");
        const auto nth = details.number("nth");
        nth_ = nth.value_or(0);
        count_ = details.number("count").value_or(1);
        if (count_ == 0 || count_ > most_blocks)
            details.wrong("count", fmt::format("must be 1 to {}", most_blocks));
        const bool by_block = details.has("block");
        if (by_block && (dax_ || nth)) details.wrong("block", "does not go with \"dax\" and \"nth\"");
        if (!by_block && !dax_) details.wrong("block", "is missing (or \"dax\")");
    }

    [[nodiscard]] Result<std::vector<BlockIndex>> in(const InjectTarget& target) const {
        if (same_ && !target.block) {
            return fail(detail_error(event_, "block", "is \"same\", and what happened was about no block"));
        }
        if (!dax_) {
            const std::uint64_t first = same_ ? target.block->value() : block_.value_or(0);
            std::vector<BlockIndex> all;
            for (std::uint64_t i = 0; i < count_; ++i) all.emplace_back(first + i);
            return all;
        }
        const DaxDevice* device = target.machine.dax(*dax_);
        if (device == nullptr) {
            return fail(detail_error(
                event_, "dax",
                fmt::format("names \"{}\", and there is no such device", visible_part(*dax_, 60))));
        }
        const std::vector<BlockIndex> all = whole_blocks(*device, target.machine.block_size());
        if (nth_ >= all.size() || count_ > all.size() - nth_) {
            return fail(detail_error(event_, "nth",
                                     fmt::format("is past its end, {} has {} blocks", *dax_, all.size())));
        }
        const auto from = std::next(all.begin(), static_cast<std::ptrdiff_t>(nth_));
        return std::vector<BlockIndex>{from, std::next(from, static_cast<std::ptrdiff_t>(count_))};
    }

 private:
    std::string event_;
    bool same_ = false;
    std::optional<std::uint64_t> block_;
    std::optional<std::string> dax_;
    std::uint64_t nth_ = 0;
    std::uint64_t count_ = 1;
};

template <class Each>
Act to_blocks(Details& details, Each each) {
    return [choice = BlockChoice{details}, each](InjectTarget& target) -> Result<> {
        const auto all = choice.in(target);
        if (!all) return fail(all.error());
        for (const BlockIndex block : *all) {
            if (auto done = each(target.machine, block); !done) return done;
        }
        return {};
    };
}

Act write_blocks(Details& details, BlockWrite value) {
    return to_blocks(details, [value](Machine& machine, BlockIndex block) {
        return machine.write_block_state(block, value);
    });
}

Act pin(Details& details, bool pinned) {
    return to_blocks(details,
                     [pinned](Machine& machine, BlockIndex block) { return machine.pin(block, pinned); });
}

}  // namespace

Act online_block(Details& details) {
    const std::string zone = details.text("zone").value_or("auto");
    if (zone == "movable") return write_blocks(details, BlockWrite::online_movable);
    if (zone == "kernel") return write_blocks(details, BlockWrite::online_kernel);
    if (zone != "auto") details.wrong("zone", "must be movable, kernel or auto");
    return write_blocks(details, BlockWrite::online);
}

Act offline_block(Details& details) {
    return write_blocks(details, BlockWrite::offline);
}

Act begin_offline(Details& details) {
    const std::uint64_t usec = details.duration("usec").value_or(0);
    if (details.has("count")) details.wrong("count", "does not go with it: one block at a time");
    return to_blocks(
        details, [usec](Machine& machine, BlockIndex block) { return machine.begin_offline(block, usec); });
}

Act end_offline(Details& details) {
    const bool interrupted = details.truth("interrupted").value_or(false);
    return [interrupted](InjectTarget& target) { return target.machine.end_offline(interrupted); };
}

Act pin_block(Details& details) {
    return pin(details, true);
}
Act unpin_block(Details& details) {
    return pin(details, false);
}

Act poison_block(Details& details) {
    return to_blocks(details, [](Machine& machine, BlockIndex block) { return machine.poison(block, true); });
}
Act heal_block(Details& details) {
    return to_blocks(details,
                     [](Machine& machine, BlockIndex block) { return machine.poison(block, false); });
}

Act make_unreadable(Details& details) {
    const int errnum = details.has("errno") ? errno_of(details) : EIO;
    const bool ends = details.truth("ends").value_or(false);
    if (ends && details.has("errno")) details.wrong("errno", "does not go with \"ends\"");
    return to_blocks(details, [errnum = ends ? 0 : errnum](Machine& machine, BlockIndex block) {
        return machine.make_unreadable(block, errnum);
    });
}

Act write_dax_state(Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    const std::string value = details.needed(details.text("value"), "value");
    return [name, value](InjectTarget& target) { return target.machine.write_dax_state(name, value); };
}

Act unbind_dax(Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    const std::uint64_t usec = details.duration("usec").value_or(0);
    return [name, usec](InjectTarget& target) { return target.machine.begin_unbind(name, usec); };
}

Act bind_dax(Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    const DaxMode wanted = details.mode();
    return [name, wanted](InjectTarget& target) { return target.machine.bind(name, wanted); };
}

Act set_auto_online(Details& details) {
    const auto word = details.text("value");
    const auto value = auto_online_from(details.needed(word, "value"));
    if (word && !value) details.wrong("value", "must be offline, online, online_kernel or online_movable");
    return [value = value.value_or(AutoOnline::offline)](InjectTarget& target) -> Result<> {
        target.machine.write_auto_online(value);
        return {};
    };
}

// No event tells of it, as in the kernel: the next look at the machine finds it.
Act set_interleave_weight(Details& details) {
    const NodeId node{details.needed(details.node("node"), "node")};
    const std::uint64_t weight = details.needed(details.number("weight"), "weight");
    if (details.has("weight") && (weight == 0 || weight > 255)) details.wrong("weight", "must be 1 to 255");
    return [node, weight](InjectTarget& target) {
        return target.machine.write_interleave_weight(node, static_cast<std::uint32_t>(weight));
    };
}

Act set_demotion(Details& details) {
    const bool on = details.needed(details.truth("enabled"), "enabled");
    return [on](InjectTarget& target) { return target.machine.write_demotion(on); };
}

}  // namespace cxlmemd::emulator::handlers
