// SPDX-License-Identifier: LGPL-2.1-or-later
// The section of a topology file that describes dax devices and their memory blocks.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "backends/emulator/description.h"
#include "backends/emulator/file_table.h"

namespace cxlmemd::emulator {

// "offline" is Zone::none.
[[nodiscard]] std::optional<Zone> zone_from(std::string_view text);

// { offline = "178-185", movable = "186-209" }, ascending; the table's other keys are the caller's.
[[nodiscard]] std::vector<BlockRun> read_block_lists(FileTable& lists);

// Reads into the machine, whose regions are there already; what is wrong is noted by the table.
class DaxSection final {
 public:
    explicit DaxSection(MachineDescription& machine) : machine_(machine) {}

    void read_dax(FileTable& table);

 private:
    void read_ranges(FileTable& table, DaxDevice& device, const Region* region);
    void read_blocks(FileTable& table, DaxDescription& dax) const;
    void check_blocks(FileTable& table, const DaxDescription& dax) const;
    void claim(FileTable& table, const PhysRange& range);

    MachineDescription& machine_;
    std::map<std::uint64_t, std::uint64_t> claimed_;  // start to end, of dax devices
    std::uint64_t blocks_ = 0;
};

}  // namespace cxlmemd::emulator
