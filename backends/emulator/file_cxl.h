// SPDX-License-Identifier: LGPL-2.1-or-later
// The sections of a topology file that describe CXL: ports, memdevs, root decoders, regions.
#pragma once

#include <map>
#include <string>

#include "backends/emulator/description.h"
#include "backends/emulator/file_table.h"

namespace cxlmemd::emulator {

// Reads into the machine; what is wrong is noted by the table. In this order, as each section names things
// of those before.
class CxlSections final {
 public:
    // `dynamic_capacity`: the feature.
    CxlSections(MachineDescription& machine, bool dynamic_capacity)
        : machine_(machine), dynamic_capacity_(dynamic_capacity) {}

    void read_port(FileTable& table);
    void read_memdev(FileTable& table);
    void read_root_decoder(FileTable& table);
    void read_region(FileTable& table);

 private:
    [[nodiscard]] bool lies_below(std::string port, const std::string& target) const;
    void read_targets(FileTable& table, RootDecoder& decoder);

    MachineDescription& machine_;
    const bool dynamic_capacity_;
    std::map<std::string, std::string> parents_;  // of ports; empty: a host bridge
    std::map<std::string, std::string> port_of_;  // of memdevs that say one
};

}  // namespace cxlmemd::emulator
