// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/plan_words.h"

#include <fmt/format.h>

#include <cstddef>
#include <variant>
#include <vector>

namespace cxlmemd {

namespace {

// A sentence that lists hundreds of numbers is read by nobody.
constexpr std::size_t max_runs = 8;

std::string blocks(std::uint64_t count) {
    return fmt::format("{} block{}", count, count == 1 ? "" : "s");
}

Zone other(Zone zone) {
    return zone == Zone::movable ? Zone::kernel : Zone::movable;
}

// Appends with "; " between, so that several causes still read as one sentence.
void add(std::string& text, const std::string& clause) {
    if (!text.empty()) text += "; ";
    text += clause;
}

std::string binding_words(const DaxDevice& device) {
    if (device.mode == DaxMode::unbound) return "the device is unbound and will be bound as system-ram";
    return fmt::format("the device is in mode {} and will change to system-ram", to_string(device.mode));
}

std::string settled_words(const BlockChoice& choice) {
    if (choice.wanted == 0) return "no block is online";
    std::string text;
    for (const ZonePart& part : choice.parts) {
        text += text.empty() ? fmt::format("{} of {} are online in {}", part.right.size(),
                                           blocks(choice.total), zone_words(part.zone))
                             : fmt::format(" and {} in {}", part.right.size(), zone_words(part.zone));
    }
    for (const ZonePart& part : choice.parts) {
        if (part.kept.empty()) continue;
        text += fmt::format(" and {} in {}, where on_conflict = keep leaves them", part.kept.size(),
                            zone_words(other(part.zone)));
    }
    return text;
}

// Why automatic came to this; nothing to say if all of it may be movable.
std::string split_words(const Goal& goal, const BlockChoice& choice) {
    if (goal.zone != ZoneWish::automatic || !goal.split) return {};
    if (goal.split->movable_blocks >= choice.wanted) return {};
    if (goal.split->movable_blocks == 0) {
        return fmt::format(" (zone auto: max_movable_ratio {} leaves no room in ZONE_MOVABLE)",
                           goal.split->max_ratio);
    }
    return fmt::format(" (zone auto: max_movable_ratio {} leaves room for {} of {} in ZONE_MOVABLE)",
                       goal.split->max_ratio, goal.split->movable_blocks, blocks(choice.wanted));
}

}  // namespace

std::string blocks_are(std::uint64_t count) {
    return blocks(count) + (count == 1 ? " is" : " are");
}

std::string block_list(std::span<const BlockIndex> list) {
    std::string text = list.size() == 1 ? "block " : "blocks ";
    std::size_t at = 0;
    for (std::size_t run = 0; at < list.size() && run < max_runs; ++run) {
        std::size_t last = at;
        while (last + 1 < list.size() && list[last + 1].value() == list[last].value() + 1) ++last;
        if (at != 0) text += ", ";
        text += fmt::format("{}", list[at].value());
        if (last != at) text += fmt::format("-{}", list[last].value());
        at = last + 1;
    }
    if (at < list.size()) text += fmt::format(" and {} more", list.size() - at);
    return text;
}

std::string_view zone_words(Zone zone) {
    switch (zone) {
        case Zone::none: return "no zone";
        case Zone::kernel: return "a kernel zone";
        case Zone::movable: return "ZONE_MOVABLE";
    }
    return "no zone";
}

std::string node_words(std::span<const NodeId> nodes) {
    std::string text = "node ";
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        text += fmt::format("{}{}", i == 0 ? "" : " or ", nodes[i].value());
    }
    return text;
}

std::string obstacle_words(const BlockChoice& choice, const Unreadable* unknown) {
    constexpr std::string_view no_hotremove = "this kernel cannot hot-remove memory";
    std::string text;
    for (const ZonePart& part : choice.parts) {
        if (part.stuck_zone.empty()) continue;
        add(text,
            fmt::format("{} stay{} in {}: {}", block_list(part.stuck_zone),
                        part.stuck_zone.size() == 1 ? "s" : "", zone_words(other(part.zone)), no_hotremove));
    }
    if (!choice.stuck_excess.empty()) {
        add(text, fmt::format("{} stay{} online beyond the amount: {}", block_list(choice.stuck_excess),
                              choice.stuck_excess.size() == 1 ? "s" : "", no_hotremove));
    }
    if (choice.missing() == 0) return text;  // enough others were found
    for (const ZonePart& part : choice.parts) {
        if (part.barred.empty()) continue;
        add(text, fmt::format("{} cannot come online in {}: valid_zones does not name it",
                              block_list(part.barred), zone_words(part.zone)));
    }
    if (!choice.poisoned.empty()) {
        add(text, fmt::format("{} cannot come online: a page of {} is poisoned (EHWPOISON)",
                              block_list(choice.poisoned), choice.poisoned.size() == 1 ? "it" : "each"));
    }
    if (!choice.leaving.empty()) {
        add(text, fmt::format("{} {} going offline at this moment", block_list(choice.leaving),
                              choice.leaving.size() == 1 ? "is" : "are"));
    }
    if (choice.absent != 0) {
        add(text, fmt::format("{} of {} {}",
                              choice.absent == choice.total ? "all" : fmt::format("{}", choice.absent),
                              blocks_are(choice.total),
                              unknown != nullptr ? "not known: " + describe(*unknown)
                                                 : "missing in the kernel though kmem is bound"));
    }
    return text;
}

std::string choice_words(const Topology& topology, const DaxDevice& device, const Goal& goal,
                         const BlockChoice& choice) {
    const bool binds = device.mode != DaxMode::system_ram;
    std::string text;
    if (binds) add(text, binding_words(device));
    if (!choice.excess.empty()) {
        add(text, choice.wanted == 0
                      ? fmt::format("{} online and will go offline", blocks_are(choice.excess.size()))
                      : fmt::format("{} online beyond the {} wanted and will go offline",
                                    blocks_are(choice.excess.size()), choice.wanted));
    }
    for (const ZonePart& part : choice.parts) {
        if (part.rezoned.empty()) continue;
        add(text, fmt::format("{} online in {} and will be rezoned to {}", blocks_are(part.rezoned.size()),
                              zone_words(other(part.zone)), zone_words(part.zone)));
    }
    for (const ZonePart& part : choice.parts) {
        if (part.brought.empty()) continue;
        add(text, binds ? fmt::format("{} will come online in {}", blocks(part.brought.size()),
                                      zone_words(part.zone))
                        : fmt::format("{} offline and will come online in {}",
                                      blocks_are(part.brought.size()), zone_words(part.zone)));
    }
    if (binds && topology.auto_online != AutoOnline::offline) {
        add(text, fmt::format("auto_online_blocks is '{}', so what the kernel brings online by itself is put "
                              "right afterwards",
                              to_string(topology.auto_online)));
    }
    if (text.empty()) text = settled_words(choice);
    text += split_words(goal, choice);
    const auto* bytes = std::get_if<AmountBytes>(&goal.amount);
    if (bytes != nullptr && bytes->bytes.value() / topology.block_size.value() > choice.total) {
        text += fmt::format(" (amount {} is more than the {} that the device has in whole blocks)",
                            to_string(goal.amount),
                            format_size(Bytes{choice.total * topology.block_size.value()}));
    } else if (choice.rounded) {
        text += fmt::format(" (amount {} rounded down to {} of {})", to_string(goal.amount), choice.wanted,
                            blocks(choice.total));
    }
    return text;
}

}  // namespace cxlmemd
