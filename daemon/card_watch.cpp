// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/card_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

Bytes bytes_online(const Topology& topology, const DaxDevice& device) {
    const auto blocks = present_blocks(topology, device);
    const auto online =
        std::ranges::count_if(blocks, [](const Block& block) { return block.state != BlockState::offline; });
    return Bytes{static_cast<std::uint64_t>(online) * topology.block_size.value()};
}

// What has come to a card that was emptied.
std::string message_of(const Topology& topology, const Memdev& memdev, const DaxDevice& device) {
    const std::string head =
        fmt::format("{} is prepared for its removal, and memory has appeared on it since: ", memdev.name);
    const std::string& dax = device.id.name;
    const std::string advice = fmt::format("cxlmemctl remove {} empties it again", memdev.name);
    if (const Bytes online = bytes_online(topology, device); online.value() != 0) {
        return fmt::format(
            "{}{} of {} are online, brought there by the kernel's auto_online_blocks or by another "
            "process: do not pull the card; {}",
            head, format_size(online), dax, advice);
    }
    if (is_occupied(topology, device)) {
        return fmt::format("{} ({}, {}) stays offline: do not pull the card; {}", head + dax,
                           format_size(device.size), to_string(device.mode), advice);
    }
    return fmt::format("{} ({}) stays offline and unbound", head + dax, format_size(device.size));
}

}  // namespace

void CardWatch::look() {
    model_.card_conflicts.clear();
    std::erase_if(cards_, [&](const auto& entry) {
        const auto mark = model_.holds.cards.find(entry.first);
        return mark == model_.holds.cards.end() || mark->second != CardState::ready;
    });
    for (const auto& [key, state] : model_.holds.cards) {
        const Memdev* memdev = find_memdev(model_.topology, key);
        if (state != CardState::ready || memdev == nullptr) continue;
        const auto [card, is_new] = cards_.try_emplace(key);
        look_at(key, *memdev, card->second, is_new);
    }
}

void CardWatch::look_at(const CardKey& key, const Memdev& memdev, Card& card, bool is_new) {
    std::map<std::string, std::string> told;
    for (const DaxDevice* device : occupancy(model_.topology, memdev).devices) {
        const bool occupied = is_occupied(model_.topology, *device);
        const Seen seen{device->id, device->ranges};
        if (is_new && !occupied) card.emptied.push_back(seen);
        const bool known = std::ranges::count(card.emptied, seen) != 0;
        if (known && !occupied) continue;
        const std::string message = message_of(model_.topology, memdev, *device);
        if (occupied) model_.card_conflicts.push_back({"removal", message});
        if (card.told[device->id.name] != message) {
            log_.write(message::removal_undone, LogLevel::warning, message,
                       {{"CXLMEMD_DEVICE", device->id.name}, {"CXLMEMD_CARD", to_string(key)}});
        }
        told[device->id.name] = message;
    }
    card.told = std::move(told);
}

}  // namespace cxlmemd
