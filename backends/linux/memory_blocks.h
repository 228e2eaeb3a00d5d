// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's memory blocks: /sys/devices/system/memory (Documentation/ABI/testing/sysfs-devices-memory,
// Documentation/admin-guide/mm/memory-hotplug.rst).
//
// Worker thread. The folder is opened once; each block costs two small reads and one look for its node,
// unless its node can tell of all its blocks (node_blocks.h).
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "backends/linux/paths.h"
#include "backends/linux/sysfs.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

// What memoryN/valid_zones says: the zone of an online block, the zones an offline one may go to.
struct ValidZones {
    bool kernel = false;
    bool movable = false;
    int named = 0;  // how many zones; 0 for "none" (an online block that spans zones)

    bool operator==(const ValidZones&) const = default;
};
[[nodiscard]] ValidZones parse_valid_zones(std::string_view text);

// Why nothing is known of a block.
struct BlockProblem {
    const char* part = "";  // "state", "node", "valid_zones": what was asked for
    int errnum = 0;         // 0: it was read, and is no word that is known

    [[nodiscard]] bool is_absence() const { return sysfs::is_absence(errnum); }
};
[[nodiscard]] Unreadable unreadable(BlockIndex block, Bytes block_size, const BlockProblem& problem);

class MemoryBlocks final {
 public:
    explicit MemoryBlocks(const LinuxPaths& paths);

    // 0 if the kernel has no memory blocks. An error if that cannot be told: then nothing can be told of any
    // memory.
    [[nodiscard]] Result<Bytes> block_size() const;
    // nullopt on a kernel that has no such file.
    [[nodiscard]] Result<std::optional<AutoOnline>> auto_online() const;

    // False on a kernel that cannot hot-remove (R13); an error if it cannot be told.
    [[nodiscard]] Result<bool> hotremove() const;

    // The block as it is now. `expected_node` is only tried first.
    [[nodiscard]] tl::expected<Block, BlockProblem> read(BlockIndex index,
                                                         NodeId expected_node = no_node) const;

    // The possible blocks that overlap a range, ascending; some may not exist.
    [[nodiscard]] std::vector<BlockIndex> overlapping(const PhysRange& range, Bytes block_size) const;
    // Those that exist, each read by itself, ascending. An error if one of them cannot be read.
    [[nodiscard]] Result<std::vector<Block>> read_overlapping(const PhysRange& range, Bytes block_size,
                                                              NodeId expected_node) const;
    // All that exist and overlap one of the ranges, ascending.
    [[nodiscard]] sysfs::OrErrno<std::vector<BlockIndex>> existing(const std::vector<PhysRange>& ranges,
                                                                   Bytes block_size) const;

    // memoryN/state, opened for one write. Held open it stands for this incarnation of the block: when
    // the block is removed, a write answers ENODEV, whatever has its name by then. Any thread; allocates
    // nothing.
    [[nodiscard]] sysfs::OrErrno<sysfs::Fd> open_state(BlockIndex index) const;

 private:
    [[nodiscard]] sysfs::OrErrno<NodeId> node_of(BlockIndex index, NodeId expected) const;

    std::string path_;
    sysfs::Fd folder_;  // not valid on a kernel without memory blocks
    int folder_errno_;  // why it is not
    bool numa_;         // else blocks have no node, and no link to one
};

}  // namespace cxlmemd
