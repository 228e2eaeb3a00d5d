// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/iomem.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

struct Resource {
    std::size_t depth = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::string_view name;
};

// "    4190000000-41cfffffff : dax0.0"; two spaces a level.
std::optional<Resource> parse(std::string_view line) {
    Resource out;
    out.depth = std::min(line.size(), line.find_first_not_of(' '));
    line.remove_prefix(out.depth);
    const std::size_t colon = line.find(" : ");
    const std::size_t dash = line.find('-');
    if (colon == std::string_view::npos || dash >= colon) return std::nullopt;
    const auto first = sysfs::to_number(line.substr(0, dash), 16);
    const auto last = sysfs::to_number(line.substr(dash + 1, colon - dash - 1), 16);
    if (!first || !last || *last < *first || *last == 0) return std::nullopt;
    out.first = *first;
    out.last = *last;
    out.name = line.substr(colon + 3);
    return out;
}

bool only_contains(std::string_view name) {
    constexpr std::array containers = {"CXL Window", "Soft Reserved", "Persistent Memory", "region"};
    return std::ranges::any_of(containers, [&](const char* prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::string iomem_holder(std::string_view iomem, const PhysRange& range) {
    std::vector<Resource> found;
    while (!iomem.empty()) {
        const std::string_view line = iomem.substr(0, iomem.find('\n'));
        iomem.remove_prefix(std::min(iomem.size(), line.size() + 1));
        const auto resource = parse(line);
        if (resource && resource->first < range.end().value() && resource->last >= range.start.value()) {
            found.push_back(*resource);
        }
    }
    std::string out;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const bool innermost = i + 1 == found.size() || found[i + 1].depth <= found[i].depth;
        if (!innermost || only_contains(found[i].name) || out.find(found[i].name) != std::string::npos)
            continue;
        if (!out.empty()) out += ", ";
        out += found[i].name;
    }
    return out;
}

}  // namespace cxlmemd
