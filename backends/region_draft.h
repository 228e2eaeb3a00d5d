// SPDX-License-Identifier: LGPL-2.1-or-later
// What create_region() is asked for, and what it is about to take. Values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

struct RegionMember {
    std::string memdev;  // "mem0"
    std::uint64_t generation = 0;

    bool operator==(const RegionMember&) const = default;
};

struct RegionOrder {
    RegionType type = RegionType::ram;
    std::string root_decoder;
    std::vector<RegionMember> members;  // in interleave order, one at least
    std::uint32_t interleave_granularity = 256;
    Bytes size;  // of the region; a multiple of 256 MiB for each member

    bool operator==(const RegionOrder&) const = default;
};

// All that a creation touches, known before its first write: enough to take an interrupted one back.
struct RegionTrace {
    std::string region;  // the name that the kernel will give
    std::string root_decoder;
    std::vector<std::string> decoders;  // the endpoint decoder of each member

    bool operator==(const RegionTrace&) const = default;
};

struct RegionDraft {
    RegionOrder order;
    RegionTrace trace;

    bool operator==(const RegionDraft&) const = default;
};

}  // namespace cxlmemd
