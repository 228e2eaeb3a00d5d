// SPDX-License-Identifier: LGPL-2.1-or-later
// The memory blocks of a dax device, as a map. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/failure.h"
#include "cli/text.h"

namespace cxlmemctl {

enum class BlockState : char { absent = '-', offline = '.', kernel = 'K', movable = 'M' };

struct BlockMap {
    std::uint64_t block_size = 0;        // bytes
    std::vector<BlockState> states;      // of the device's whole blocks, from its lower end up
    std::vector<std::uint64_t> numbers;  // the kernel's, of memoryN; empty: addresses are not known here
};

// Of the device in what Manager.Record says; block numbers are taken from `ranges`, the property, if it has
// as many blocks.
[[nodiscard]] Result<BlockMap> blocks_of(const std::string& record, const std::string& device,
                                         const nlohmann::json& ranges);

// A letter a block, rows of 64 with the number of their first block, and what the letters mean; of many
// blocks the runs alone.
[[nodiscard]] std::string blocks_view(const std::string& device, const BlockMap& map, const Paint& paint);
// {"BlockSize": bytes, "Runs": [{"First", "Last", "State"}]}: memoryN, or blocks of the device counted from
// 0.
[[nodiscard]] nlohmann::json blocks_json(const BlockMap& map);

}  // namespace cxlmemctl
