// SPDX-License-Identifier: LGPL-2.1-or-later
// Which regions should be made: [[region]] tables against what is there. Pure, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/holds.h"
#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

// A region as it is to be made.
struct RegionSetup {
    struct Member {
        std::string memdev;
        std::uint64_t generation = 0;

        bool operator==(const Member&) const = default;
    };
    RegionType type = RegionType::ram;
    std::string root_decoder;
    std::vector<Member> members;  // in interleave order
    std::uint32_t interleave_granularity = 256;
    Bytes size;

    bool operator==(const RegionSetup&) const = default;
};

enum class RegionVerdict : std::uint8_t {
    there,    // a region on exactly these memdevs is as the table says
    differs,  // there is one, but not as the table says; it is left alone
    create,   // to be made now
    blocked,  // cannot be made as the machine is
    removed,  // somebody took it away; it stays away until a reload
};

struct RegionDecision {
    std::string name;  // of the table
    Place place;
    RegionVerdict verdict = RegionVerdict::blocked;
    std::string region;                // there, differs: its name
    std::optional<RegionSetup> setup;  // create only
    std::string reason;                // one sentence
    bool waits = false;                // blocked, but only until a card of it is there

    bool operator==(const RegionDecision&) const = default;
};

// Regions that were removed while their memdevs stayed: those memdevs, ascending.
using RemovedRegions = std::set<std::vector<CardKey>>;

// Tables that would put memory on one of these cards, which are to be pulled, are blocked instead.
void keep_off_cards(std::vector<RegionDecision>& decisions, const Topology& topology,
                    const std::map<CardKey, CardState>& cards);

// One decision a table, in the policy's order. Later tables count on what earlier ones will take.
// `node`: root decoders whose regions land elsewhere are left out; where no region tells, the region's
// node is known only when it has been made, and a wrong one is said then. A serial that several cards carry
// names none of them: the table is blocked, with their hosts, unless it has memdev_host.
[[nodiscard]] std::vector<RegionDecision> decide_regions(const Topology& topology, const Policy& policy,
                                                         const RemovedRegions& removed);

}  // namespace cxlmemd
