// SPDX-License-Identifier: LGPL-2.1-or-later
// What others did to the machine, from two looks at it and what the daemon itself wrote in between: as events
// of the emulator (docs/emulator.md), so that they can happen again. Pure but for its memory; loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kernel_answers.h"
#include "policy/topology.h"

namespace cxlmemd {

// One event with its details, or, without an event, what the emulator has no event for.
struct Happening {
    std::uint64_t usec = 0;  // CLOCK_MONOTONIC, when it was first seen
    std::string event;
    std::vector<std::pair<std::string, std::string>> texts;
    std::vector<std::pair<std::string, std::uint64_t>> numbers;
    std::string comment;  // instead of an event

    bool operator==(const Happening&) const = default;
};

class Happenings final {
 public:
    // A write of the daemon's own: what comes of it is no happening.
    void wrote(const KernelAnswer& answer);

    // Two whole topologies, one after the other.
    [[nodiscard]] std::vector<Happening> compare(const Topology& before, const Topology& after,
                                                 std::uint64_t now_usec);
    // Blocks as they are now, of a machine where nothing else was looked at.
    [[nodiscard]] std::vector<Happening> compare_blocks(const Topology& before,
                                                        const std::vector<Block>& found,
                                                        std::uint64_t now_usec);
    // Regions that wait for their dax device: as they are.
    [[nodiscard]] std::vector<Happening> take_waiting();

 private:
    using Out = std::vector<Happening>;
    void compare_memdevs(const Topology& before, const Topology& after, Out& out);
    void compare_regions(const Topology& before, const Topology& after, Out& out);
    void look_at_waiting(const Topology& after, Out& out);
    void compare_devices(const Topology& before, const Topology& after, Out& out);
    void compare_mode(const DaxDevice& before, const DaxDevice& after, Out& out);
    void compare_all_blocks(const Topology& before, const Topology& after, Out& out);
    void block_changed(BlockIndex index, BlockState before, const Block& after, Out& out);
    void block_arrived(const Topology& after, const Block& block, Out& out);
    void compare_settings(const Topology& before, const Topology& after, Out& out);
    [[nodiscard]] bool is_own(const Block& block);
    Happening make(std::string event) const;

    std::uint64_t now_usec_ = 0;
    std::map<std::uint64_t, std::string> own_blocks_;  // by index: what was written last
    std::map<std::string, std::string> own_modes_;     // by dax device
    std::set<std::string> own_states_;                 // dax devices whose daxX.Y/state was written
    std::set<std::string> own_regions_;                // made or destroyed
    std::map<std::string, std::string> own_settings_;  // by operation and object
    struct Waiting {
        std::uint64_t since_usec = 0;
        Happening happening;
    };
    std::map<std::string, Waiting> waiting_;  // regions without a dax device, by name
};

}  // namespace cxlmemd
