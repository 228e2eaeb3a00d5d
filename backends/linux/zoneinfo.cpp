#include "backends/linux/zoneinfo.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> out;
    while (true) {
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
        if (line.empty()) return out;
        out.push_back(line.substr(0, line.find_first_of(" \t")));
        line.remove_prefix(out.back().size());
    }
}

// What is read of one zone.
struct ZoneLines {
    std::uint64_t free = 0;
    std::uint64_t low = 0;
    std::uint64_t file = 0;
    std::uint64_t present = 0;

    void read(const std::vector<std::string_view>& word) {
        const bool is_free = word.size() == 3 && word[0] == "pages" && word[1] == "free";
        if (word.size() != 2 && !is_free) return;
        const auto pages = sysfs::to_number(word.back(), 10);
        if (!pages) return;
        if (is_free) free = *pages;
        if (word[0] == "low") low = *pages;
        if (word[0] == "present") present = *pages;
        if (word[0] == "nr_zone_inactive_file" || word[0] == "nr_zone_active_file") file += *pages;
    }

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
        const auto word = words(line);
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
