// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/block_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace cxlmemd::emulator {

namespace {

// Decimal alone, and no more than a block number can be.
std::optional<std::uint64_t> parse_index(std::string_view text) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value > max_address) return std::nullopt;
    return value;
}

std::optional<BlockRun> parse_run(std::string_view text, Zone zone) {
    const auto dash = text.find('-');
    const auto first = parse_index(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_index(text.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    return BlockRun{BlockIndex{*first}, *last - *first + 1, zone};
}

}  // namespace

std::optional<std::vector<BlockRun>> parse_block_list(std::string_view text, Zone zone, std::size_t most) {
    std::vector<BlockRun> out;
    while (true) {
        const auto comma = text.find(',');
        const auto run = parse_run(text.substr(0, comma), zone);
        if (!run || out.size() >= most) return std::nullopt;
        out.push_back(*run);
        if (comma == std::string_view::npos) return out;
        text.remove_prefix(comma + 1);
    }
}

std::string block_list(std::span<const BlockRun> runs, Zone zone) {
    std::string out;
    for (const BlockRun& run : runs) {
        if (run.zone != zone) continue;
        if (!out.empty()) out += ',';
        out += fmt::format("{}", run.first.value());
        if (run.count > 1) out += fmt::format("-{}", run.first.value() + run.count - 1);
    }
    return out;
}

std::vector<BlockRun> joined(std::vector<BlockRun> runs) {
    std::ranges::sort(runs, {}, &BlockRun::first);
    std::vector<BlockRun> out;
    for (const BlockRun& run : runs) {
        if (!out.empty() && out.back().zone == run.zone &&
            out.back().first.value() + out.back().count == run.first.value()) {
            out.back().count += run.count;
        } else {
            out.push_back(run);
        }
    }
    return out;
}

}  // namespace cxlmemd::emulator
