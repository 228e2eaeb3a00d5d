// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a rule's match holds for a device: the facts it reads, and the key that fails first.
// mismatch() in decide.h puts that into words. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

// A key of [rule.match]: its row in the table of match_keys.h.
enum class MatchKey : std::size_t {};

// As it is written in a policy file: "memdev_serial".
[[nodiscard]] std::string_view to_string(MatchKey key);

// What rules can read about one device, gathered once for all of them. nullopt and empty: the kernel
// does not provide it. Points into the topology and the device; lives no longer than they.
struct Facts {
    const DaxDevice* device = nullptr;
    const HostFacts* machine = nullptr;
    // Of every memdev behind it, or empty if one is unknown. Of an hmem device by its addresses.
    std::vector<std::uint64_t> serials;
    std::vector<std::string_view> hosts;
    std::vector<std::string_view> firmware;
    // The cards that are there and carry it, by name; of an hmem device those that are certain.
    std::vector<std::string_view> memdevs;
    // Of an hmem device that may be on one of several cards: their names.
    std::vector<std::string_view> candidates;
    // nullopt: there is a CXL window, and the kernel does not say where.
    std::optional<Backing> backed_by;
    std::optional<std::string_view> region;
    std::optional<std::string_view> root_decoder;
    std::optional<std::uint64_t> interleave_ways;
    std::optional<int> qos_class;
    // Of its region, else of the node that its memory lands on.
    std::optional<std::uint64_t> read_latency;
    std::optional<std::uint64_t> write_latency;
    std::optional<std::uint64_t> read_bandwidth;
    std::optional<std::uint64_t> write_bandwidth;
};

[[nodiscard]] Facts facts_of(const Topology& topology, const DaxDevice& device);

// Those of the facts that say where a device is: nothing is gathered for the others.
struct Whereabouts {
    std::optional<std::string_view> region;
    std::optional<std::string_view> root_decoder;
    std::vector<std::string_view> memdevs;
};
[[nodiscard]] Whereabouts whereabouts_of(const Topology& topology, const DaxDevice& device);
// The region alone; empty if there is none, or it is not known.
[[nodiscard]] std::string region_of(const Topology& topology, const DaxDevice& device);

[[nodiscard]] bool fits(const Glob& glob, std::string_view text);
[[nodiscard]] bool fits(const Compare& compare, std::uint64_t fact);
[[nodiscard]] bool lies_in(const PhysRange& range, const std::pair<PhysAddr, PhysAddr>& inclusive);

// The same of the keys that ask which machine it is, and hold for all of its devices or for none.
[[nodiscard]] std::optional<MatchKey> first_failing_of_host(const HostFacts& host, const Match& match);

// The first key that was written and does not hold; nullopt if the match holds.
[[nodiscard]] std::optional<MatchKey> first_failing(const Facts& facts, const Match& match);

}  // namespace cxlmemd
