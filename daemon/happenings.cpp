// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/happenings.h"

#include <algorithm>
#include <iterator>
#include <ranges>

namespace cxlmemd {

namespace {

// A dax device appears a moment after its region, and is bound a moment after that.
constexpr std::uint64_t longest_wait_usec = 1'000'000;

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
    return out;
}

bool is_same(const Memdev& a, const Memdev& b) {
    return a.name == b.name && a.serial == b.serial && a.host == b.host;
}

bool is_same(const Region& a, const Region& b) {
    return a.name == b.name && a.resource == b.resource && a.type == b.type;
}

bool is_same(const DaxDevice& a, const DaxDevice& b) {
    return a.id.name == b.id.name && a.id.start == b.id.start && a.id.serials == b.id.serials;
}

// Those of `of` that are not in `others`.
template <class T>
std::vector<const T*> missing(const std::vector<T>& of, const std::vector<T>& others) {
    std::vector<const T*> out;
    for (const T& one : of) {
        if (std::ranges::none_of(others, [&](const T& other) { return is_same(one, other); }))
            out.push_back(&one);
    }
    return out;
}

Happening comment(std::string text) {
    Happening out;
    out.comment = std::move(text);
    return out;
}

// While it is being made, not all of it can be read.
Happening told(const Region& region, std::uint64_t usec) {
    Happening made;
    made.usec = usec;
    made.event = "add-region";
    made.texts = {{"name", region.name},
                  {"memdevs", joined(region.memdevs)},
                  {"kind", region.type == RegionType::pmem ? "cxl-pmem" : "cxl-ram"}};
    if (!region.root_decoder.empty()) made.texts.emplace_back("root_decoder", region.root_decoder);
    made.numbers = {{"start", region.resource.value()}, {"size", region.size.value()}};
    if (region.interleave_granularity != 0)
        made.numbers.emplace_back("interleave_granularity", region.interleave_granularity);
    return made;
}

}  // namespace

Happening Happenings::make(std::string event) const {
    Happening out;
    out.usec = now_usec_;
    out.event = std::move(event);
    return out;
}

void Happenings::wrote(const KernelAnswer& answer) {
    const std::string& what = answer.operation;
    if (what == "online" || what == "offline") {
        if (answer.error) return;
        for (std::uint64_t i = 0; i < answer.blocks; ++i)
            own_blocks_[answer.block->value() + i] = answer.value;
    } else if (what == "set_mode") {
        own_modes_[answer.object] = answer.value;
    } else if (what == "set_hotplug_state") {
        own_states_.insert(answer.object);
    } else if (what == "destroy_region" || what == "create_region" || what == "clear_region") {
        own_regions_.insert(answer.object);
    } else if (!answer.error) {
        own_settings_[what + answer.object] = answer.value;
    }
}

std::vector<Happening> Happenings::compare(const Topology& before, const Topology& after,
                                           std::uint64_t now_usec) {
    now_usec_ = now_usec;
    Out out;
    compare_settings(before, after, out);
    compare_memdevs(before, after, out);
    compare_regions(before, after, out);
    look_at_waiting(after, out);
    compare_devices(before, after, out);
    compare_all_blocks(before, after, out);
    for (Happening& one : out) {
        if (one.usec == 0) one.usec = now_usec;
    }
    return out;
}

std::vector<Happening> Happenings::compare_blocks(const Topology& before, const std::vector<Block>& found,
                                                  std::uint64_t now_usec) {
    now_usec_ = now_usec;
    Out out;
    for (const Block& block : found) {
        const Block* known = find_block(before, block.index);
        if (known == nullptr) {
            block_arrived(before, block, out);
        } else if (known->state != block.state || known->zone != block.zone) {
            block_changed(block.index, known->state, block, out);
        }
    }
    return out;
}

std::vector<Happening> Happenings::take_waiting() {
    Out out;
    for (auto& [name, waiting] : waiting_) out.push_back(std::move(waiting.happening));
    waiting_.clear();
    return out;
}

void Happenings::compare_memdevs(const Topology& before, const Topology& after, Out& out) {
    for (const Memdev* gone : missing(before.memdevs, after.memdevs)) {
        Happening pulled = make("remove-memdev");
        pulled.texts = {{"memdev", gone->name}};
        out.push_back(std::move(pulled));
    }
    for (const Memdev* fresh : missing(after.memdevs, before.memdevs)) {
        Happening plugged = make("add-memdev");
        plugged.texts = {{"name", fresh->name}, {"host", fresh->host}};
        if (!fresh->firmware.empty()) plugged.texts.emplace_back("firmware", fresh->firmware);
        plugged.numbers = {{"serial", fresh->serial}, {"ram_size", fresh->ram_size.value()}};
        if (fresh->pmem_size.value() != 0)
            plugged.numbers.emplace_back("pmem_size", fresh->pmem_size.value());
        if (fresh->numa_node.value() >= 0)
            plugged.numbers.emplace_back("numa_node", static_cast<std::uint64_t>(fresh->numa_node.value()));
        out.push_back(std::move(plugged));
    }
}

void Happenings::compare_regions(const Topology& before, const Topology& after, Out& out) {
    for (const Region* gone : missing(before.regions, after.regions)) {
        // One that was half made and looks otherwise now has not been told of yet.
        if (waiting_.erase(gone->name) != 0 || own_regions_.erase(gone->name) != 0) continue;
        Happening removed = make("remove-region");
        removed.texts = {{"region", gone->name}};
        out.push_back(std::move(removed));
    }
    for (const Region* fresh : missing(after.regions, before.regions)) {
        if (own_regions_.erase(fresh->name) != 0) continue;
        waiting_[fresh->name] = {now_usec_, told(*fresh, now_usec_)};
    }
    for (const Region& region : after.regions) {
        const Region* known = find_region(before, region.name);
        if (known == nullptr || !is_same(*known, region) || known->disabled || !region.disabled) continue;
        // A card that was pulled takes the driver along.
        if (std::ranges::any_of(known->memdevs,
                                [&](const std::string& name) { return find_memdev(after, name) == nullptr; }))
            continue;
        Happening disabled = make("disable-region");
        disabled.texts = {{"region", region.name}};
        out.push_back(std::move(disabled));
    }
}

// A new region is told of with its dax device, once that is bound, or will not be by others.
void Happenings::look_at_waiting(const Topology& after, Out& out) {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        Waiting& waiting = it->second;
        const Region* region = find_region(after, it->first);
        const auto devices =
            region == nullptr ? std::vector<const DaxDevice*>{} : dax_devices_on(after, *region);
        const DaxDevice* device = devices.empty() ? nullptr : devices.front();
        const bool is_bound = device != nullptr && device->mode != DaxMode::unbound;
        const bool is_over = now_usec_ - waiting.since_usec > longest_wait_usec ||
                             (device != nullptr && own_modes_.contains(device->id.name));
        if (region != nullptr) waiting.happening = told(*region, waiting.since_usec);
        if (region != nullptr && (!is_bound || region->memdevs.empty()) && !is_over) {
            ++it;
            continue;
        }
        if (device != nullptr) {
            const bool by_policy = own_modes_.erase(device->id.name) != 0;
            waiting.happening.texts.emplace_back(
                "mode", by_policy ? "unbound" : std::string{to_string(device->mode)});
            if (device->target_node.value() >= 0)
                waiting.happening.numbers.emplace_back(
                    "target_node", static_cast<std::uint64_t>(device->target_node.value()));
        }
        out.push_back(std::move(waiting.happening));
        it = waiting_.erase(it);
    }
}

void Happenings::compare_devices(const Topology& before, const Topology& after, Out& out) {
    for (const DaxDevice& device : after.dax_devices) {
        const DaxDevice* known = find_dax(before, device.id.name);
        if (known != nullptr && is_same(*known, device)) {
            if (known->mode != device.mode && !waiting_.contains(device.id.region))
                compare_mode(*known, device, out);
            if (known->ranges != device.ranges)
                out.push_back(comment(device.id.name + " gained or lost a range (extents)"));
            continue;
        }
        const Region* region = find_region(after, device.id.region);
        const bool came_with_region =
            region != nullptr && std::ranges::none_of(before.regions, [&](const Region& r) {
                return is_same(r, *region) && !dax_devices_on(before, r).empty();
            });
        if (!came_with_region)
            out.push_back(comment("dax device " + device.id.name + " appeared, and not with its region"));
    }
    for (const DaxDevice* gone : missing(before.dax_devices, after.dax_devices)) {
        own_modes_.erase(gone->id.name);
        const Region* region = find_region(after, gone->id.region);
        if (region != nullptr && !region->disabled && !region->memdevs.empty())
            out.push_back(comment("dax device " + gone->id.name + " disappeared, and its region stayed"));
    }
}

void Happenings::compare_mode(const DaxDevice& before, const DaxDevice& after, Out& out) {
    const auto own = own_modes_.find(after.id.name);
    if (own_states_.erase(after.id.name) != 0) return;
    if (own != own_modes_.end()) {
        if (own->second == to_string(after.mode)) own_modes_.erase(own);
        return;
    }
    if (before.mode != DaxMode::unbound) {
        Happening unbound = make("unbind-dax");
        unbound.texts = {{"dax", after.id.name}};
        out.push_back(std::move(unbound));
    }
    if (after.mode != DaxMode::unbound) {
        Happening bound = make("bind-dax");
        bound.texts = {{"dax", after.id.name}, {"mode", std::string{to_string(after.mode)}}};
        out.push_back(std::move(bound));
    }
}

void Happenings::compare_all_blocks(const Topology& before, const Topology& after, Out& out) {
    if (before.blocks == after.blocks) return;
    auto known = before.blocks.begin();
    for (const Block& block : after.blocks) {
        while (known != before.blocks.end() && known->index < block.index) ++known;
        if (known == before.blocks.end() || known->index != block.index) {
            block_arrived(after, block, out);
        } else if (known->state != block.state || known->zone != block.zone) {
            block_changed(block.index, known->state, block, out);
        }
    }
}

bool Happenings::is_own(const Block& block) {
    const auto own = own_blocks_.find(block.index.value());
    if (own == own_blocks_.end()) return false;
    const bool is_so = own->second == "offline"          ? block.state == BlockState::offline
                       : own->second == "online_movable" ? block.zone == Zone::movable
                                                         : block.zone == Zone::kernel;
    // What was written is seen once, or was undone before it was: the next change is somebody's.
    own_blocks_.erase(own);
    return is_so;
}

void Happenings::block_changed(BlockIndex index, BlockState before, const Block& after, Out& out) {
    if (after.state == BlockState::going_offline) return;
    if (is_own(after)) return;
    if (before == BlockState::going_offline && after.state == BlockState::online) return;  // it stayed
    const bool goes_online = after.state == BlockState::online;
    if (goes_online && before == BlockState::online) {  // by way of offline
        Happening offline = make("offline-block");
        offline.numbers = {{"block", index.value()}};
        out.push_back(std::move(offline));
    }
    Happening changed = make(goes_online ? "online-block" : "offline-block");
    changed.numbers = {{"block", index.value()}};
    if (goes_online) changed.texts = {{"zone", std::string{to_string(after.zone)}}};
    out.push_back(std::move(changed));
}

// The kernel adds blocks with their device's bind, and brings them online itself if auto_online_blocks says
// so.
void Happenings::block_arrived(const Topology& after, const Block& block, Out& out) {
    if (block.state != BlockState::online || after.auto_online != AutoOnline::offline) {
        own_blocks_.erase(block.index.value());
        return;
    }
    block_changed(block.index, BlockState::offline, block, out);
}

void Happenings::compare_settings(const Topology& before, const Topology& after, Out& out) {
    const auto is_own_setting = [&](const std::string& key, const std::string& value) {
        const auto own = own_settings_.find(key);
        return own != own_settings_.end() && own->second == value;
    };
    if (before.auto_online != after.auto_online &&
        !is_own_setting("set_auto_online", std::string{to_string(after.auto_online)})) {
        Happening set = make("set-auto-online");
        set.texts = {{"value", std::string{to_string(after.auto_online)}}};
        out.push_back(std::move(set));
    }
    if (after.demotion_enabled && before.demotion_enabled != after.demotion_enabled &&
        !is_own_setting("set_demotion", *after.demotion_enabled ? "on" : "off")) {
        Happening set = make("set-demotion");
        set.texts = {{"enabled", *after.demotion_enabled ? "true" : "false"}};
        out.push_back(std::move(set));
    }
    if (before.features.memory_hotremove != after.features.memory_hotremove) {
        Happening set = make("set-hotremove");
        set.texts = {{"possible", after.features.memory_hotremove ? "true" : "false"}};
        out.push_back(std::move(set));
    }
    if (before.interleave_auto != after.interleave_auto)
        out.push_back(comment("the automatic interleave weights were switched on or off"));
    if (before.unreadable != after.unreadable)
        out.push_back(comment("what the kernel does not say changed: " +
                              std::to_string(after.unreadable.size()) + " things cannot be read"));
    if (before.competitors != after.competitors) out.push_back(comment("who else acts on memory changed"));
}

}  // namespace cxlmemd
