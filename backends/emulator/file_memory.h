// SPDX-License-Identifier: LGPL-2.1-or-later
// The sections of a topology file that describe memory which no dax device has, and decoders which no region
// has.
#pragma once

#include <map>
#include <vector>

#include "backends/emulator/description.h"
#include "backends/emulator/file_table.h"

namespace cxlmemd::emulator {

// Reads into the machine, whose other sections are there already; what is wrong is noted by the table.
class MemorySections final {
 public:
    explicit MemorySections(MachineDescription& machine) : machine_(machine) {}

    void read_memory(FileTable& table);
    void read_endpoint_decoder(FileTable& table);

    // Puts the memory of a node where the firmware would have put that of a card: into the first region that
    // has no dax device, or else the first window that has no region and no dax device, in which it has room.
    // What does not make a whole block, or has no room, stays where nobody knows. False: nothing has room.
    bool place(NodeDescription& node);

 private:
    void claim(FileTable& table, const LooseMemory& memory);
    [[nodiscard]] bool is_free(std::uint64_t first, std::uint64_t count) const;
    [[nodiscard]] std::vector<PhysRange> places() const;

    MachineDescription& machine_;
    std::map<std::uint64_t, std::uint64_t> claimed_;  // first block to one past the last
    std::uint64_t blocks_ = 0;
};

}  // namespace cxlmemd::emulator
