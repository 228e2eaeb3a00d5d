// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/zoneinfo.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

// The words of a line, as far as any line of interest has them.
class Words final {
 public:
    explicit Words(std::string_view line) {
        while (true) {
            line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
            if (line.empty()) return;
            if (count_ == most) break;
            words_.at(count_++) = line.substr(0, line.find(' '));
            line.remove_prefix(words_.at(count_ - 1).size());
        }
        ++count_;  // one too many
    }

    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::string_view operator[](std::size_t at) const { return words_.at(at); }

 private:
    static constexpr std::size_t most = 4;
    std::array<std::string_view, most> words_;
    std::size_t count_ = 0;
};

// Nearly all lines are about processors; there are five for each in each zone.
bool may_matter(std::string_view line) {
    const std::size_t first = line.find_first_not_of(' ');
    return first != std::string_view::npos &&
           std::string_view{"Nlnp"}.find(line[first]) != std::string_view::npos;
}

// What is read of one zone.
struct ZoneLines {
    std::uint64_t free = 0;
    std::uint64_t low = 0;
    std::uint64_t file = 0;
    std::uint64_t present = 0;

    void read(const Words& word) {
        if (word.size() == 3 && word[0] == "pages" && word[1] == "free") free = pages(word[2]).value_or(free);
        if (word.size() != 2) return;
        if (word[0] == "low") low = pages(word[1]).value_or(low);
        if (word[0] == "present") present = pages(word[1]).value_or(present);
        if (word[0] == "nr_zone_inactive_file" || word[0] == "nr_zone_active_file")
            file += pages(word[1]).value_or(0);
    }

    static std::optional<std::uint64_t> pages(std::string_view text) { return sysfs::to_number(text, 10); }

    [[nodiscard]] std::uint64_t available() const { return free - std::min(free, low) + file / 2; }
};

void add(const ZoneLines& lines, std::string_view zone, ZonePages& node) {
    if (zone == "Movable") {
        node.movable += lines.present;
    } else if (zone != "Device") {
        node.kernel += lines.present;
        node.kernel_available += lines.available();
    }
}

}  // namespace

std::map<NodeId, ZonePages> parse_zoneinfo(std::string_view text) {
    std::map<NodeId, ZonePages> out;
    NodeId node = no_node;
    std::string_view zone;
    ZoneLines lines;
    const auto end_of_zone = [&] {
        if (node != no_node && lines.present != 0) add(lines, zone, out[node]);
        lines = {};
    };
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!may_matter(line)) continue;
        const Words word{line};
        // "Node 1, zone  Movable" opens a zone; "        present  262144" is in it.
        if (!line.starts_with("Node ")) {
            lines.read(word);
            continue;
        }
        end_of_zone();
        node = no_node;
        if (word.size() != 4 || word[2] != "zone" || !word[1].ends_with(',')) continue;
        const auto id = sysfs::to_int(word[1].substr(0, word[1].size() - 1));
        if (!id || *id < 0) continue;
        node = NodeId{*id};
        zone = word[3];
    }
    end_of_zone();
    return out;
}

}  // namespace cxlmemd
