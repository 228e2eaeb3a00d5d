// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/holds.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

std::string at(const DaxDevice& device, std::string who) {
    if (who.empty()) who = to_string(device.kind);
    return fmt::format("{} at {:#x}", who, device.id.start.value());
}

std::string plain_key(const DaxDevice& device) {
    std::string who;
    for (const std::uint64_t serial : device.id.serials)
        who += fmt::format("{}{:#x}", who.empty() ? "serials " : ",", serial);
    return at(device, std::move(who));
}

std::string key_with_hosts(const std::vector<const Memdev*>& memdevs, const DaxDevice& device) {
    std::string who;
    for (const Memdev* memdev : memdevs)
        who += fmt::format("{}{:#x}@{}", who.empty() ? "serials " : ",", memdev->serial, memdev->host);
    return at(device, std::move(who));
}

bool serial_tells(const Topology& topology, const Memdev& memdev) {
    return memdev.serial != 0 && std::ranges::count(topology.memdevs, memdev.serial, &Memdev::serial) == 1;
}

}  // namespace

CardKey card_of(const Memdev& memdev) {
    return {.serial = memdev.serial, .host = memdev.host};
}

const Memdev* find_memdev(const Topology& topology, const CardKey& card) {
    const auto found = std::ranges::find_if(topology.memdevs, [&](const Memdev& memdev) {
        return memdev.serial == card.serial && memdev.host == card.host;
    });
    return found == topology.memdevs.end() ? nullptr : &*found;
}

std::string to_string(const CardKey& card) {
    if (card.host.empty()) return fmt::format("serial {:#x}", card.serial);
    return fmt::format("serial {:#x} at {}", card.serial, card.host);
}

std::vector<const Memdev*> memdevs_below(const Topology& topology, const DaxDevice& device) {
    std::vector<const Memdev*> out;
    const Region* region = find_region(topology, device.id.region);
    if (region == nullptr) return out;
    for (const std::string& name : region->memdevs) {
        if (const Memdev* memdev = find_memdev(topology, name)) out.push_back(memdev);
    }
    return out;
}

std::vector<const Memdev*> cards_below(const Topology& topology, const DaxDevice& device) {
    if (!device.id.region.empty()) return memdevs_below(topology, device);
    std::vector<const Memdev*> out;
    for (const Memdev& memdev : topology.memdevs) {
        if (stands_on(topology, device, memdev)) out.push_back(&memdev);
    }
    return out;
}

std::string hold_key(const Topology& topology, const DaxDevice& device) {
    const auto memdevs = memdevs_below(topology, device);
    const bool serials_tell =
        std::ranges::all_of(memdevs, [&](const Memdev* memdev) { return serial_tells(topology, *memdev); });
    return serials_tell ? plain_key(device) : key_with_hosts(memdevs, device);
}

std::vector<std::string> hold_keys(const Topology& topology, const DaxDevice& device) {
    std::vector<std::string> out{plain_key(device)};
    const auto memdevs = memdevs_below(topology, device);
    if (!memdevs.empty()) out.push_back(key_with_hosts(memdevs, device));
    return out;
}

bool is_held_by_hand(const Holds& holds, const Topology& topology, const DaxDevice& device) {
    return !holds.devices.empty() &&
           std::ranges::any_of(hold_keys(topology, device),
                               [&](const std::string& key) { return holds.devices.contains(key); });
}

const Memdev* card_to_be_pulled(const Holds& holds, const Topology& topology, const DaxDevice& device) {
    if (holds.cards.empty()) return nullptr;
    if (device.id.region.empty()) {
        for (const auto& [key, state] : holds.cards) {
            const Memdev* memdev = find_memdev(topology, key);
            if (memdev != nullptr && stands_on(topology, device, *memdev)) return memdev;
        }
        return nullptr;
    }
    const auto memdevs = memdevs_below(topology, device);
    const auto found = std::ranges::find_if(
        memdevs, [&](const Memdev* memdev) { return holds.cards.contains(card_of(*memdev)); });
    return found == memdevs.end() ? nullptr : *found;
}

bool is_held(const Holds& holds, const Topology& topology, const DaxDevice& device) {
    return is_held_by_hand(holds, topology, device) || card_to_be_pulled(holds, topology, device) != nullptr;
}

std::string_view words_of(CardState state) {
    return state == CardState::emptying ? "being emptied for its removal" : "prepared for its removal";
}

bool is_occupied(const Topology& topology, const DaxDevice& device) {
    return device.mode != DaxMode::unbound || present_block_count(topology, device) != 0;
}

bool is_drained(const Topology& topology, const Memdev& memdev) {
    return occupancy(topology, memdev).is_empty();
}

}  // namespace cxlmemd
