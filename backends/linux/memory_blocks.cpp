// SPDX-License-Identifier: LGPL-2.1-or-later
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

Error cannot_tell(const std::string& what, int errnum) {
    return {.code = errnum == EINTR ? ErrorCode::canceled : ErrorCode::failed,
            .object = what,
            .operation = "read",
            .errnum = errnum,
            .reason = errnum == 0 ? "the kernel's answer makes no sense" : "the kernel did not say",
            .advice = "nothing is done on a guess; try again"};
}

}  // namespace

Unreadable unreadable(BlockIndex block, Bytes block_size, const BlockProblem& problem) {
    return {.what = fmt::format("memory block {}: {}", block.value(), problem.part),
            .where = PhysRange{PhysAddr{block.value() * block_size.value()}, block_size},
            .memdev = {},
            .errnum = problem.errnum};
}

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
    : path_(paths.memory()),
      folder_(sysfs::open_folder(path_)),
      folder_errno_(folder_.valid() ? 0 : errno),
      numa_(sysfs::exists(paths.nodes())) {}

Result<Bytes> MemoryBlocks::block_size() const {
    const auto size = sysfs::number_or_errno(path_ + "/block_size_bytes", 16);  // hex without 0x
    if (!size && sysfs::is_absence(size.error())) return Bytes{0};
    if (!size) return fail(cannot_tell("block_size_bytes", size.error()));
    if (*size < smallest_block || !std::has_single_bit(*size))
        return fail(cannot_tell("block_size_bytes", 0));
    return Bytes{*size};
}

Result<std::optional<AutoOnline>> MemoryBlocks::auto_online() const {
    const auto text = sysfs::read(path_ + "/auto_online_blocks");
    if (!text && sysfs::is_absence(text.error())) return std::nullopt;
    if (!text) return fail(cannot_tell("auto_online_blocks", text.error()));
    if (text->empty()) return fail(cannot_tell("auto_online_blocks", 0));
    // A word that is not known, of a newer kernel, is some way of bringing memory online.
    return auto_online_from(*text).value_or(AutoOnline::online);
}

// drivers/base/memory.c: since 5.8 `removable` of every block is CONFIG_MEMORY_HOTREMOVE, and says nothing
// about the block. It is asked of the first block found; with none there is nothing to remove.
Result<bool> MemoryBlocks::hotremove() const {
    auto removable = sysfs::read(path_ + "/memory0/removable");
    if (!removable && sysfs::is_absence(removable.error())) {
        const auto names = sysfs::list(path_);
        if (!names && !sysfs::is_absence(names.error()))
            return fail(cannot_tell("the folder of memory blocks", names.error()));
        for (const std::string& name : names.value_or(std::vector<std::string>{})) {
            if (!sysfs::number_after(name, "memory")) continue;
            removable = sysfs::read(path_ + "/" + name + "/removable");
            if (removable || !sysfs::is_absence(removable.error())) break;
        }
    }
    if (!removable && !sysfs::is_absence(removable.error()))
        return fail(cannot_tell("removable of memory blocks", removable.error()));
    return !removable || *removable != "0";
}

sysfs::OrErrno<NodeId> MemoryBlocks::node_of(BlockIndex index, NodeId expected) const {
    const std::string block = name_of(index);
    if (expected != no_node) {
        const std::string link = block + "/node" + std::to_string(expected.value());
        if (::faccessat(folder_.get(), link.c_str(), F_OK, 0) == 0) return expected;
    }
    const auto names = sysfs::list(path_ + "/" + block);
    if (!names) return tl::unexpected(names.error());
    for (const std::string& name : *names) {
        if (const auto node = sysfs::number_after(name, "node")) return NodeId{static_cast<int>(*node)};
    }
    return no_node;
}

tl::expected<Block, BlockProblem> MemoryBlocks::read(BlockIndex index, NodeId expected_node) const {
    const auto unknown = [](const char* part, int errnum) {
        return tl::unexpected(BlockProblem{.part = part, .errnum = errnum});
    };
    if (!folder_.valid()) return unknown("state", folder_errno_);
    const std::string block = name_of(index);
    // State and zones are two reads: if the block went from one state to the other in between, they
    // contradict each other (an online block has one zone at most), and are read again.
    for (int tries = 0;; ++tries) {
        const auto text = sysfs::read_attribute_at(folder_.get(), block + "/state");
        if (!text) return unknown("state", text.error());
        const auto state = state_from(*text);
        if (!state) return unknown("state", 0);
        Block out{.index = index, .state = *state};
        // The kernel makes a block's files before it has given it a node, and valid_zones of an offline block
        // without one is a null dereference that kills the thread which reads it (valid_zones_show,
        // drivers/base/memory.c; seen on 6.12). The link comes after the node: without it the block is not
        // complete yet.
        const auto node = node_of(index, expected_node);
        if (!node) return unknown("node", node.error());
        out.node = *node;
        if (out.node == no_node && numa_) return unknown("node", EAGAIN);
        // Absent on a kernel without hot-remove; the zone of an online block cannot be told there.
        const auto zones_text = sysfs::read_attribute_at(folder_.get(), block + "/valid_zones");
        if (!zones_text && !sysfs::is_absence(zones_text.error()))
            return unknown("valid_zones", zones_text.error());
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

Result<std::vector<Block>> MemoryBlocks::read_overlapping(const PhysRange& range, Bytes block_size,
                                                          NodeId expected_node) const {
    std::vector<Block> out;
    for (const BlockIndex index : overlapping(range, block_size)) {
        const auto block = read(index, expected_node);
        if (block) {
            out.push_back(*block);
        } else if (!block.error().is_absence()) {
            Error error = cannot_tell(name_of(index) + "/" + block.error().part, block.error().errnum);
            error.object = fmt::format("memory block {}", index.value());
            return fail(std::move(error));
        }
    }
    return out;
}

sysfs::OrErrno<std::vector<BlockIndex>> MemoryBlocks::existing(const std::vector<PhysRange>& ranges,
                                                               Bytes block_size) const {
    std::vector<BlockIndex> out;
    if (block_size.value() == 0 || ranges.empty()) return out;
    const auto names = sysfs::list(path_);
    if (!names) {
        if (sysfs::is_absence(names.error())) return out;
        return tl::unexpected(names.error());
    }
    for (const std::string& name : *names) {
        const auto number = sysfs::number_after(name, "memory");
        if (!number) continue;
        const PhysRange block{PhysAddr{*number * block_size.value()}, block_size};
        if (std::ranges::any_of(ranges, [&](const PhysRange& range) { return overlap(range, block); }))
            out.emplace_back(*number);
    }
    std::ranges::sort(out);
    return out;
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
