// SPDX-License-Identifier: LGPL-2.1-or-later
// Names that are no machine's own: blocks count from the beginning of their device, devices are called after
// their card.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/topology.h"
#include "tests/contract/trace_machine.h"

namespace cxlmemd::contract {

// The region and dax device that stand on one card.
struct TraceDevice {
    char letter = 'A';
    std::uint64_t serial = 1;
    unsigned incarnation = 0;          // how many there have been
    std::optional<Region> region{};    // as it was seen last
    std::optional<DaxDevice> dax{};    // the same
    std::optional<DaxIdentity> old{};  // who stood there before
    std::optional<RegionIdentity> id{}, old_id{};
    bool is_there = false;  // the region is there now
    NodeId node = no_node;
    std::vector<BlockIndex> blocks{};

    // "A", and "A2" for the second that stands there.
    [[nodiscard]] std::string name() const;
};

// Since 7.3 a region's dax device is made apart from the region, so that the region's driver is bound before
// or after the device appears, by chance: its event is put to where that begins. On kernels that do one thing
// after the other nothing is moved.
[[nodiscard]] std::vector<KernelEvent> without_chance(std::vector<KernelEvent> events);

class TraceNames final {
 public:
    TraceDevice& device(char letter);
    [[nodiscard]] const std::map<char, TraceDevice>& devices() const { return devices_; }
    // Looks whether devices of cards that were asked for have come or gone.
    void learn(const Topology& topology);

    [[nodiscard]] std::string block(BlockIndex index) const;  // "A[3]"
    [[nodiscard]] std::string subject(const std::string& kernel_name) const;
    // "add A[0..7]": what happened to neighbours one after another is one line.
    [[nodiscard]] std::vector<std::string> lines(const std::vector<KernelEvent>& events) const;

 private:
    std::map<char, TraceDevice> devices_;
    std::map<std::string, std::string> names_;                          // of regions, dax devices and nodes
    std::map<BlockIndex, std::pair<std::string, std::size_t>> blocks_;  // device, number in it
};

}  // namespace cxlmemd::contract
