// SPDX-License-Identifier: LGPL-2.1-or-later
// What several sections of a topology file check alike.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "backends/emulator/file_table.h"

namespace cxlmemd::emulator {

template <class Items, class Same>
void check_unique(FileTable& table, std::string_view key, const Items& items, Same same) {
    if (table.has(key) && std::ranges::any_of(items, same)) table.wrong(key, "is taken by an earlier one");
}

template <class Items>
void check_known(FileTable& table, std::string_view key, const std::string& name, const Items& items) {
    const auto same = [&](const auto& item) { return item.name == name; };
    if (std::ranges::none_of(items, same)) {
        table.wrong(key, fmt::format("names \"{}\", which is not described", name));
    }
}

// The table `access`, with or without its key `shown`.
struct DescribedAccess {
    AccessCoordinates access;
    bool shown = false;  // from the start
};
[[nodiscard]] DescribedAccess read_access(FileTable& parent, bool with_shown = true);
// `start` and `size`, both needed.
[[nodiscard]] PhysRange read_range(FileTable& table);

}  // namespace cxlmemd::emulator
