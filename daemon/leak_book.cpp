// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/leak_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "daemon/small_file.h"
#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

constexpr std::string_view version = "cxlmemd-leaks 1";
constexpr const char* nothing = "-";  // stands for an empty word

std::string word(const std::string& text) {
    return text.empty() ? std::string{nothing} : text;
}
std::string unword(const std::string& text) {
    return text == nothing ? std::string{} : text;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return out;
}

bool is_with_kmem(const Topology& topology, const PhysRange& block) {
    return std::ranges::any_of(topology.dax_devices, [&](const DaxDevice& device) {
        return device.mode == DaxMode::system_ram &&
               std::ranges::any_of(device.ranges, [&](const PhysRange& range) {
                   return range.start <= block.start && block.end() <= range.end();
               });
    });
}

// Blocks of the range that are there and that no kmem has.
std::vector<Block> left_in(const Topology& topology, const PhysRange& range) {
    std::vector<Block> out;
    for (const Block& block : present_blocks(topology, range)) {
        const PhysRange place{PhysAddr{block.index.value() * topology.block_size.value()},
                              topology.block_size};
        if (!is_with_kmem(topology, place)) out.push_back(block);
    }
    return out;
}

std::vector<std::string> carriers_of(const Topology& topology, const DaxDevice& device) {
    if (const Region* region = find_region(topology, device.id.region)) return region->memdevs;
    std::vector<std::string> out;
    for (const Memdev& memdev : topology.memdevs) {
        const auto devices = occupancy(topology, memdev).devices;
        if (std::ranges::find(devices, &device) != devices.end()) out.push_back(memdev.name);
    }
    return out;
}

}  // namespace

Result<> LeakBook::load() {
    entries_.clear();
    auto text = read_small_file(file_);
    if (!text) return fail(text.error());
    if (!text->has_value()) return {};
    const auto bad = [&](const std::string& line) {
        entries_.clear();
        return fail({.code = ErrorCode::failed,
                     .object = file_.string(),
                     .operation = "read",
                     .errnum = 0,
                     .reason = "this line makes no sense: " + line.substr(0, 60),
                     .advice = "what leaked memory was is forgotten; the memory itself is found without it"});
    };
    std::istringstream lines{**text};
    std::string line;
    if (!std::getline(lines, line) || line != version) return bad(line);
    while (std::getline(lines, line)) {
        std::istringstream words{line};
        std::string start;
        std::string size;
        std::string certain;
        Entry entry;
        if (!(words >> start >> size >> certain >> entry.dax >> entry.region)) return bad(line);
        const auto from = number(start);
        const auto bytes = number(size);
        if (!from || !bytes || *bytes == 0 || *from + *bytes < *from) return bad(line);
        entry.range = {PhysAddr{*from}, Bytes{*bytes}};
        entry.certain = certain == "1";
        entry.dax = unword(entry.dax);
        entry.region = unword(entry.region);
        std::string name;
        std::string serial;
        std::string generation;
        while (words >> name) {
            if (!(words >> serial >> generation)) return bad(line);
            const auto of_card = number(serial);
            const auto of_life = number(generation);
            if (!of_card || !of_life) return bad(line);
            entry.carriers.push_back({name, *of_card, *of_life});
        }
        entries_.push_back(std::move(entry));
    }
    return {};
}

Result<> LeakBook::save() const {
    std::string text = std::string{version} + "\n";
    for (const Entry& entry : entries_) {
        text += fmt::format("{} {} {} {} {}", entry.range.start.value(), entry.range.size.value(),
                            entry.certain ? 1 : 0, word(entry.dax), word(entry.region));
        for (const Carrier& carrier : entry.carriers)
            text += fmt::format(" {} {} {}", carrier.name, carrier.serial, carrier.generation);
        text += "\n";
    }
    return replace_small_file(file_, text);
}

void LeakBook::note(const Topology& before, const Topology& now, const DaxDevice& device,
                    std::uint64_t now_usec) {
    std::vector<Carrier> carriers;
    for (const std::string& name : carriers_of(before, device)) {
        if (const Memdev* memdev = find_memdev(before, name))
            carriers.push_back({memdev->name, memdev->serial, memdev->generation});
    }
    std::vector<Entry> fresh;
    bool any_online = false;
    for (const PhysRange& range : device.ranges) {
        for (const Block& block : left_in(now, range)) {
            any_online |= block.state != BlockState::offline;
            const PhysRange place{PhysAddr{block.index.value() * now.block_size.value()}, now.block_size};
            if (std::ranges::any_of(entries_, [&](const Entry& e) { return overlap(e.range, place); }))
                continue;
            if (!fresh.empty() && fresh.back().range.end() == place.start) {
                fresh.back().range.size += place.size;
            } else {
                fresh.push_back({.range = place,
                                 .dax = device.id.name,
                                 .region = device.id.region,
                                 .carriers = carriers,
                                 .certain = true,
                                 .since_usec = now_usec});
            }
        }
    }
    for (Entry& entry : fresh) {
        entry.certain = any_online;
        entries_.push_back(std::move(entry));
    }
}

LeakBook::News LeakBook::update(const Topology& before, Topology& now, std::uint64_t now_usec) {
    const std::vector<Entry> old = entries_;
    for (const DaxDevice& device : before.dax_devices) {
        if (find_dax(now, device.id) == nullptr && present_block_count(before, device) != 0)
            note(before, now, device, now_usec);
    }
    News out;
    // A block that cannot be read may be there: what is known of it is kept.
    const auto is_unknown = [&](const PhysRange& range) {
        return std::ranges::any_of(now.unreadable, [&](const Unreadable& each) {
            return each.where ? overlap(*each.where, range) : each.memdev.empty();
        });
    };
    std::erase_if(entries_, [&](const Entry& entry) {
        return left_in(now, entry.range).empty() && !is_unknown(entry.range);
    });
    for (Entry& entry : entries_) {
        std::erase_if(entry.carriers, [&](const Carrier& carrier) {
            const Memdev* memdev = find_memdev(now, carrier.name);
            return memdev == nullptr || memdev->serial != carrier.serial ||
                   memdev->generation != carrier.generation;
        });
        const auto left = left_in(now, entry.range);
        const bool any_online =
            std::ranges::any_of(left, [](const Block& block) { return block.state != BlockState::offline; });
        if (!entry.certain && (any_online || now_usec >= entry.since_usec + doubt_usec)) entry.certain = true;
        out.any_doubtful |= !entry.certain;
        Leak leak{.range = entry.range,
                  .dax = entry.dax,
                  .region = entry.region,
                  .memdevs = {},
                  .certain = entry.certain};
        for (const Carrier& carrier : entry.carriers) leak.memdevs.push_back(carrier.name);
        now.leaks.push_back(leak);
        const auto known = std::ranges::find(old, entry.range, &Entry::range);
        if (entry.certain && (known == old.end() || !known->certain)) out.fresh.push_back(std::move(leak));
    }
    std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.range.start; });
    if (entries_ != old) {
        if (auto saved = save(); !saved) out.unsaved = saved.error();
    }
    return out;
}

}  // namespace cxlmemd
