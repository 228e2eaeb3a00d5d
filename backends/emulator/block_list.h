// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory blocks in the kernel's list notation, as of cpulist and nodelist: "178-193,200".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/emulator/description.h"

namespace cxlmemd::emulator {

// Runs in `zone`, in the order written; nullopt if it is no such list, or one of more than `most` runs.
[[nodiscard]] std::optional<std::vector<BlockRun>> parse_block_list(std::string_view text, Zone zone,
                                                                    std::size_t most);

// Those of the runs that are in `zone`; empty if there is none.
[[nodiscard]] std::string block_list(std::span<const BlockRun> runs, Zone zone);

// Ascending, and what lies side by side in one zone is one run.
[[nodiscard]] std::vector<BlockRun> joined(std::vector<BlockRun> runs);

}  // namespace cxlmemd::emulator
