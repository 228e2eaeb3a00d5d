#include "backends/linux/memory_blocks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string>

namespace cxlmemd {

namespace {

constexpr std::uint64_t smallest_block = 1U << 20;
// Past this many candidates the folder is listed instead of trying each name.
constexpr std::uint64_t most_tries = 1U << 17;

std::string name_of(BlockIndex index) {
    return "memory" + std::to_string(index.value());
}

std::optional<BlockState> state_from(std::string_view text) {
    for (const BlockState state : {BlockState::offline, BlockState::online, BlockState::going_offline}) {
        if (to_string(state) == text) return state;
    }
    return std::nullopt;
}

}  // namespace

ValidZones parse_valid_zones(std::string_view text) {
    ValidZones out;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        // enum zone_type, include/linux/mmzone.h. "Device" holds no memory that can be onlined.
        const bool movable = word == "Movable";
        const bool kernel = word == "Normal" || word == "DMA32" || word == "DMA" || word == "HighMem";
        out.movable |= movable;
        out.kernel |= kernel;
        if (movable || kernel) ++out.named;
    }
    return out;
}

MemoryBlocks::MemoryBlocks(const LinuxPaths& paths)
    : path_(paths.memory()), folder_(sysfs::open_folder(path_)), numa_(sysfs::exists(paths.nodes())) {}

Bytes MemoryBlocks::block_size() const {
    const auto size = sysfs::read_number(path_ + "/block_size_bytes", 16);  // hex without 0x
    if (!size || *size < smallest_block || !std::has_single_bit(*size)) return Bytes{0};
    return Bytes{*size};
}

std::optional<AutoOnline> MemoryBlocks::auto_online() const {
    const auto text = sysfs::read(path_ + "/auto_online_blocks");
    return text ? auto_online_from(*text) : std::nullopt;
}

// drivers/base/memory.c: since 5.8 `removable` of every block is CONFIG_MEMORY_HOTREMOVE, and says nothing
// about the block. It is asked of the first block found; with none there is nothing to remove.
bool MemoryBlocks::hotremove() const {
    auto removable = sysfs::read(path_ + "/memory0/removable");
    if (!removable) {
        for (const std::string& name : sysfs::names_in(path_)) {
            if (!sysfs::number_after(name, "memory")) continue;
            removable = sysfs::read(path_ + "/" + name + "/removable");
            if (removable) break;
        }
    }
    return !removable || *removable != "0";
}

NodeId MemoryBlocks::node_of(BlockIndex index, NodeId expected) const {
    const std::string block = name_of(index);
    if (expected != no_node) {
        const std::string link = block + "/node" + std::to_string(expected.value());
        if (::faccessat(folder_.get(), link.c_str(), F_OK, 0) == 0) return expected;
    }
    for (const std::string& name : sysfs::names_in(path_ + "/" + block)) {
        if (const auto node = sysfs::number_after(name, "node")) return NodeId{static_cast<int>(*node)};
    }
    return no_node;
}

std::optional<Block> MemoryBlocks::read(BlockIndex index, NodeId expected_node) const {
    if (!folder_.valid()) return std::nullopt;
    const std::string block = name_of(index);
    // State and zones are two reads: if the block went from one state to the other in between, they
    // contradict each other (an online block has one zone at most), and are read again.
    for (int tries = 0; tries < 3; ++tries) {
        const auto text = sysfs::read_attribute_at(folder_.get(), block + "/state");
        const auto state = text ? state_from(*text) : std::nullopt;
        if (!state) return std::nullopt;
        Block out{.index = index, .state = *state};
        // The kernel makes a block's files before it has given it a node, and valid_zones of an offline block
        // without one is a null dereference that kills the thread which reads it (valid_zones_show,
        // drivers/base/memory.c; seen on 6.12). The link comes after the node: without it the block is not
        // there yet.
        out.node = node_of(index, expected_node);
        if (out.node == no_node && numa_) return std::nullopt;
        // Absent on a kernel without hot-remove; the zone of an online block cannot be told there.
        const auto zones_text = sysfs::read_attribute_at(folder_.get(), block + "/valid_zones");
        const ValidZones zones = zones_text ? parse_valid_zones(*zones_text) : ValidZones{};
        if (*state == BlockState::online) {
            if (zones.named > 1 && tries < 2) continue;
            out.zone = zones.movable && !zones.kernel ? Zone::movable : Zone::kernel;
        } else if (zones_text) {
            out.kernel_allowed = zones.kernel;
            out.movable_allowed = zones.movable;
        }
        return out;
    }
    return std::nullopt;
}

std::vector<BlockIndex> MemoryBlocks::overlapping(const PhysRange& range, Bytes block_size) const {
    std::vector<BlockIndex> out;
    if (block_size.value() == 0 || range.size.value() == 0 || !folder_.valid()) return out;
    const std::uint64_t first = range.start.value() / block_size.value();
    const std::uint64_t last = (range.end().value() - 1) / block_size.value();
    if (last < first) return out;
    if (last - first < most_tries) {
        for (std::uint64_t i = first; i <= last; ++i) out.emplace_back(i);
    } else {
        for (const std::uint64_t i : sysfs::numbers_in(path_, "memory")) {
            if (i >= first && i <= last) out.emplace_back(i);
        }
    }
    return out;
}

void MemoryBlocks::read_overlapping(const PhysRange& range, Bytes block_size, NodeId expected_node,
                                    std::vector<Block>& out) const {
    for (const BlockIndex index : overlapping(range, block_size)) {
        if (auto block = read(index, expected_node)) out.push_back(*block);
    }
}

sysfs::OrErrno<sysfs::Fd> MemoryBlocks::open_state(BlockIndex index) const {
    if (!folder_.valid()) return tl::unexpected(ENOENT);
    std::array<char, 48> path{};
    *fmt::format_to_n(path.data(), path.size() - 1, "memory{}/state", index.value()).out = '\0';
    sysfs::Fd fd(::openat(folder_.get(), path.data(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return tl::unexpected(errno);
    return fd;
}

}  // namespace cxlmemd
