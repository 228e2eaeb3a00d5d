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

class MemoryBlocks final {
 public:
    explicit MemoryBlocks(const LinuxPaths& paths);

    // 0 if the kernel has no memory blocks (or says nonsense).
    [[nodiscard]] Bytes block_size() const;
    [[nodiscard]] std::optional<AutoOnline> auto_online() const;

    // False on a kernel that cannot hot-remove (R13).
    [[nodiscard]] bool hotremove() const;

    // The block as it is now; nullopt if it does not exist. `expected_node` is only tried first.
    [[nodiscard]] std::optional<Block> read(BlockIndex index, NodeId expected_node = no_node) const;

    // The possible blocks that overlap a range, ascending; some may not exist.
    [[nodiscard]] std::vector<BlockIndex> overlapping(const PhysRange& range, Bytes block_size) const;
    // Appends those that exist, each read by itself.
    void read_overlapping(const PhysRange& range, Bytes block_size, NodeId expected_node,
                          std::vector<Block>& out) const;

    // memoryN/state, opened for one write. Held open it stands for this incarnation of the block: when
    // the block is removed, a write answers ENODEV, whatever has its name by then. Any thread; allocates
    // nothing.
    [[nodiscard]] sysfs::OrErrno<sysfs::Fd> open_state(BlockIndex index) const;

 private:
    [[nodiscard]] NodeId node_of(BlockIndex index, NodeId expected) const;

    std::string path_;
    sysfs::Fd folder_;  // not valid on a kernel without memory blocks
    bool numa_;         // else blocks have no node, and no link to one
};

}  // namespace cxlmemd
