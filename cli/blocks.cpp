// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/blocks.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "cli/objects.h"
#include "cli/units.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

constexpr std::size_t in_a_row = 64;
constexpr std::size_t in_a_group = 8;
// More rows than a few screens are no picture any more.
constexpr std::size_t drawn_at_most = 64 * in_a_row;
// A record is the daemon's own, but no number in it makes this program large.
constexpr std::uint64_t blocks_at_most = 1U << 22U;

struct Run {
    std::size_t first = 0;  // of the device's blocks, from 0
    std::size_t last = 0;
    BlockState state = BlockState::absent;
};

const char* word(BlockState state) {
    switch (state) {
        case BlockState::offline: return "offline";
        case BlockState::kernel: return "kernel";
        case BlockState::movable: return "movable";
        case BlockState::absent: break;
    }
    return "absent";
}

Colour colour(BlockState state) {
    switch (state) {
        case BlockState::movable: return Colour::green;
        case BlockState::kernel: return Colour::yellow;
        case BlockState::offline:
        case BlockState::absent: break;
    }
    return Colour::dim;
}

std::optional<std::uint64_t> size_in(const toml::node_view<const toml::node>& value) {
    if (const auto number = value.value<std::int64_t>()) return static_cast<std::uint64_t>(*number);
    const auto text = value.value<std::string>();
    const auto size = text ? parse_bytes(*text) : Result<std::uint64_t>{fail(Exit::failed, "")};
    return size ? std::optional{*size} : std::nullopt;
}

// Whole blocks of a range.
void add_blocks(std::uint64_t start, std::uint64_t length, std::uint64_t block,
                std::vector<std::uint64_t>& numbers) {
    const std::uint64_t first = start / block + (start % block == 0 ? 0 : 1);
    const std::uint64_t end = (start + length) / block;
    for (std::uint64_t n = first; n < end && numbers.size() < blocks_at_most; ++n) numbers.push_back(n);
}

// "0-31,34-65" to the states of these blocks.
void read_list(const std::string& list, BlockState state, std::map<std::uint64_t, BlockState>& states) {
    const char* at = list.data();
    const char* end = at + list.size();
    while (at != end) {
        std::uint64_t first = 0;
        const auto one = std::from_chars(at, end, first);
        std::uint64_t last = first;
        at = one.ptr;
        if (one.ec == std::errc{} && at != end && *at == '-') {
            const auto two = std::from_chars(at + 1, end, last);
            if (two.ec != std::errc{}) return;
            at = two.ptr;
        }
        if (one.ec != std::errc{}) return;
        for (std::uint64_t n = first; n <= last && states.size() < blocks_at_most; ++n) states[n] = state;
        if (at != end) ++at;
    }
}

std::map<std::uint64_t, BlockState> states_in(const toml::table& device,
                                              const std::vector<std::uint64_t>& numbers) {
    constexpr std::array<BlockState, 3> known = {BlockState::offline, BlockState::kernel,
                                                 BlockState::movable};
    std::map<std::uint64_t, BlockState> out;
    const auto all = device["blocks"].value<std::string>();
    for (const BlockState state : known) {
        if (all && *all == word(state)) {
            for (const std::uint64_t n : numbers) out[n] = state;
        }
        if (const auto list = device["blocks"][word(state)].value<std::string>())
            read_list(*list, state, out);
    }
    return out;
}

std::vector<Run> runs_of(const BlockMap& map) {
    std::vector<Run> out;
    for (std::size_t i = 0; i < map.states.size(); ++i) {
        const bool goes_on = !out.empty() && out.back().state == map.states[i] &&
                             (map.numbers.empty() || map.numbers[i] == map.numbers[i - 1] + 1);
        if (goes_on) {
            out.back().last = i;
        } else {
            out.push_back({i, i, map.states[i]});
        }
    }
    return out;
}

std::uint64_t number(const BlockMap& map, std::size_t block) {
    return map.numbers.empty() ? block : map.numbers[block];
}

std::string row_of(const BlockMap& map, std::size_t begin, std::size_t end, const Paint& paint) {
    std::string out;
    for (std::size_t i = begin; i < end;) {
        std::size_t same = i;
        while (same < end && map.states[same] == map.states[i] &&
               (same == i || (same - begin) % in_a_group != 0))
            ++same;
        if (i > begin && (i - begin) % in_a_group == 0) out += ' ';
        out += paint(colour(map.states[i]), std::string(same - i, static_cast<char>(map.states[i])));
        i = same;
    }
    return out;
}

std::string rows(const BlockMap& map, const Paint& paint) {
    std::string out;
    const std::size_t digits = fmt::format("{}", number(map, map.states.size() - 1)).size();
    for (std::size_t begin = 0; begin < map.states.size();) {
        std::size_t end = begin + 1;
        // A row ends where the device has a hole, so that its number counts for all of it.
        while (end < map.states.size() && end - begin < in_a_row &&
               (map.numbers.empty() || map.numbers[end] == map.numbers[end - 1] + 1)) {
            ++end;
        }
        out += fmt::format("  {:>{}}  {}\n", number(map, begin), digits, row_of(map, begin, end, paint));
        begin = end;
    }
    return out;
}

}  // namespace

Result<BlockMap> blocks_of(const std::string& record, const std::string& device, const json& ranges) {
    try {
        const toml::table file = toml::parse(record);
        BlockMap out;
        out.block_size = size_in(toml::node_view<const toml::node>{file.get("block_size")}).value_or(0);
        const toml::array* devices = file["dax"].as_array();
        if (out.block_size == 0 || devices == nullptr) {
            return fail(Exit::failed, device + ": this machine has no memory blocks");
        }
        for (const toml::node& node : *devices) {
            const toml::table* table = node.as_table();
            if (table == nullptr || (*table)["name"].value_or(std::string{}) != device) continue;
            std::vector<std::uint64_t> made_up;
            if (const toml::array* list = (*table)["ranges"].as_array(); list != nullptr) {
                for (const toml::node& range : *list) {
                    const toml::table* one = range.as_table();
                    if (one == nullptr) continue;
                    add_blocks(size_in((*one)["start"]).value_or(0), size_in((*one)["size"]).value_or(0),
                               out.block_size, made_up);
                }
            }
            for (const json& range : ranges.is_array() ? ranges : json::array()) {
                add_blocks(number_of(range, "start"), number_of(range, "length"), out.block_size,
                           out.numbers);
            }
            if (out.numbers.size() != made_up.size()) out.numbers.clear();
            const auto states = states_in(*table, made_up);
            for (const std::uint64_t n : made_up) {
                const auto found = states.find(n);
                out.states.push_back(found == states.end() ? BlockState::absent : found->second);
            }
            return out;
        }
        return fail(Exit::failed, device + " is not in the daemon's record: it has gone meanwhile");
    } catch (const toml::parse_error& error) {
        return fail(Exit::failed, fmt::format("the daemon's record cannot be read: {}", error.description()));
    }
}

std::string blocks_view(const std::string& device, const BlockMap& map, const Paint& paint) {
    constexpr std::array<BlockState, 4> order = {BlockState::movable, BlockState::kernel, BlockState::offline,
                                                 BlockState::absent};
    std::string counts;
    for (const BlockState state : order) {
        const auto count = std::count(map.states.begin(), map.states.end(), state);
        if (count == 0) continue;
        counts += fmt::format("{}{} {} ({})", counts.empty() ? "" : ", ", count, word(state),
                              paint(colour(state), std::string(1, static_cast<char>(state))));
    }
    std::string out =
        fmt::format("{}: {} blocks of {}{}{}\n", paint(Colour::bold, escape(device)), map.states.size(),
                    format_bytes(map.block_size), counts.empty() ? "" : ": ", counts);
    if (map.states.empty()) return out;
    out += map.numbers.empty()
               ? "  counted from the device's lower end; the kernel keeps its addresses for root\n"
               : "  N of /sys/devices/system/memory/memoryN\n";
    if (map.states.size() <= drawn_at_most) return out + rows(map, paint);
    for (const Run& run : runs_of(map)) {
        out += fmt::format("  {}-{}  {}\n", number(map, run.first), number(map, run.last),
                           paint(colour(run.state), word(run.state)));
    }
    return out;
}

json blocks_json(const BlockMap& map) {
    json runs = json::array();
    for (const Run& run : runs_of(map)) {
        runs.push_back(
            {{"First", number(map, run.first)}, {"Last", number(map, run.last)}, {"State", word(run.state)}});
    }
    return {{"BlockSize", map.block_size}, {"Numbered", !map.numbers.empty()}, {"Runs", runs}};
}

}  // namespace cxlmemctl
