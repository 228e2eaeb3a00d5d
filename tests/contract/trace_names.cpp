// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/trace_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace cxlmemd::contract {

namespace {

// N of "memoryN"
std::optional<BlockIndex> block_of(const std::string& name) {
    constexpr std::string_view prefix = "memory";
    if (!name.starts_with(prefix)) return std::nullopt;
    std::uint64_t out = 0;
    const char* last = name.data() + name.size();
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), last, out);
    return error == std::errc{} && end == last ? std::optional{BlockIndex{out}} : std::nullopt;
}

}  // namespace

std::vector<KernelEvent> without_chance(std::vector<KernelEvent> events) {
    const std::string prefix = "dax_";
    const auto added = std::ranges::find_if(events, [&](const KernelEvent& event) {
        return event.action == "add" && event.subject.starts_with(prefix + "region");
    });
    if (added == events.end()) return events;
    const auto after = [&](const std::string& subject) {
        return std::find(added, events.end(), KernelEvent{"bind", subject});
    };
    const auto region = after(added->subject.substr(prefix.size()));
    const auto dax_region = after(added->subject);
    if (region < dax_region && dax_region != events.end()) std::rotate(added + 1, region, region + 1);
    return events;
}

std::string TraceDevice::name() const {
    return incarnation < 2 ? std::string(1, letter) : fmt::format("{}{}", letter, incarnation);
}

TraceDevice& TraceNames::device(char letter) {
    TraceDevice& device = devices_[letter];
    device.letter = letter;
    device.serial = static_cast<std::uint64_t>(letter - 'A') + 1;
    return device;
}

void TraceNames::learn(const Topology& topology) {
    for (auto& [letter, device] : devices_) {
        const auto memdev = std::ranges::find(topology.memdevs, device.serial, &Memdev::serial);
        const auto region = std::ranges::find_if(topology.regions, [&](const Region& each) {
            return memdev != topology.memdevs.end() && each.memdevs == std::vector{memdev->name};
        });
        device.is_there = region != topology.regions.end();
        if (!device.is_there) continue;
        const RegionIdentity id = identity_of(topology, *region);
        if (device.id != id) {
            device.old_id = std::exchange(device.id, id);
            ++device.incarnation;
        }
        device.region = *region;
        names_[region->name] = "region" + device.name();
        names_["dax_" + region->name] = "dax_region" + device.name();
        const auto dax = dax_devices_on(topology, *region);
        if (dax.empty()) continue;
        const DaxDevice& now = *dax.front();
        if (device.dax && device.dax->id != now.id) device.old = device.dax->id;
        device.dax = now;
        device.node = now.target_node;
        device.blocks = whole_blocks(now, topology.block_size);
        names_[now.id.name] = "dax" + device.name();
        // Devices of one node share it: it is called after the first of them.
        names_.try_emplace(fmt::format("node{}", now.target_node.value()), fmt::format("node{}", letter));
        for (std::size_t i = 0; i < device.blocks.size(); ++i) blocks_[device.blocks[i]] = {device.name(), i};
    }
}

std::string TraceNames::block(BlockIndex index) const {
    const auto it = blocks_.find(index);
    return it == blocks_.end() ? fmt::format("memory{}", index.value())
                               : fmt::format("{}[{}]", it->second.first, it->second.second);
}

std::string TraceNames::subject(const std::string& kernel_name) const {
    if (const auto index = block_of(kernel_name)) return block(*index);
    const auto it = names_.find(kernel_name);
    return it == names_.end() ? kernel_name : it->second;
}

std::vector<std::string> TraceNames::lines(const std::vector<KernelEvent>& events) const {
    std::vector<std::string> out;
    const auto place = [&](const KernelEvent& event) -> const std::pair<std::string, std::size_t>* {
        const auto index = block_of(event.subject);
        const auto it = index ? blocks_.find(*index) : blocks_.end();
        return it == blocks_.end() ? nullptr : &it->second;
    };
    for (std::size_t i = 0; i < events.size();) {
        const auto* first = place(events[i]);
        std::size_t end = i + 1;
        if (first != nullptr) {
            std::ptrdiff_t step = 0;
            for (; end < events.size() && events[end].action == events[i].action; ++end) {
                const auto* next = place(events[end]);
                if (next == nullptr || next->first != first->first) break;
                const auto moved = static_cast<std::ptrdiff_t>(next->second) -
                                   static_cast<std::ptrdiff_t>(place(events[end - 1])->second);
                if ((moved != 1 && moved != -1) || (step != 0 && moved != step)) break;
                step = moved;
            }
        }
        const std::string subject = end - i > 1 ? fmt::format("{}[{}..{}]", first->first, first->second,
                                                              place(events[end - 1])->second)
                                                : this->subject(events[i].subject);
        out.push_back(fmt::format("{} {}", events[i].action, subject));
        i = end;
    }
    return out;
}

}  // namespace cxlmemd::contract
