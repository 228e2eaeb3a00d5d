#include "daemon/holds_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <vector>

#include "daemon/small_file.h"

namespace cxlmemd {

namespace {

std::vector<std::string> sorted(const Holds& holds) {
    std::vector<std::string> out(holds.begin(), holds.end());
    std::ranges::sort(out);
    return out;
}

}  // namespace

Result<Holds> HoldsStore::load() const {
    auto text = read_small_file(holds_file_);
    if (!text) return fail(text.error());
    Holds out;
    std::istringstream lines{text->value_or("")};
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty()) out.insert(line);
    }
    return out;
}

Result<PreparedHolds> HoldsStore::load_prepared() const {
    auto text = read_small_file(prepared_file_);
    if (!text) return fail(text.error());
    PreparedHolds out;
    std::istringstream lines{text->value_or("")};
    for (std::string line; std::getline(lines, line);) {
        std::uint64_t serial = 0;
        const std::size_t space = line.find(' ');
        if (space == std::string::npos || space + 1 == line.size()) continue;
        const auto [end, wrong] = std::from_chars(line.data(), line.data() + space, serial);
        if (wrong == std::errc{} && end == line.data() + space) out[serial].insert(line.substr(space + 1));
    }
    return out;
}

Result<> HoldsStore::save(const Holds& holds) const {
    std::string text;
    for (const std::string& key : sorted(holds)) text += key + "\n";
    return replace_small_file(holds_file_, text);
}

Result<> HoldsStore::save(const PreparedHolds& prepared) const {
    std::string text;
    for (const auto& [serial, holds] : prepared) {
        for (const std::string& key : sorted(holds)) text += fmt::format("{} {}\n", serial, key);
    }
    return replace_small_file(prepared_file_, text);
}

}  // namespace cxlmemd
