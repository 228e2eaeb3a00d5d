// SPDX-License-Identifier: LGPL-2.1-or-later
// A policy over many machines: what each would do, machines of equal outcome together, what another policy
// changes, and which tables match on none of them. Pure, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/topology.h"

namespace cxlmemd {

// A sound policy with the settings that go with it.
struct FleetPolicy {
    Policy policy;  // with max_movable_ratio of the settings
    Settings settings;
};

// What policy would do about one device, about one [[region]] table, or with one setting of the kernel.
struct OutcomeItem {
    enum class Kind : std::uint8_t { device, region, tuning };
    Kind kind = Kind::device;
    std::string name;  // "dax0.0", the table's name, "interleave weight of node 1"
    std::string json;  // all of it, as docs/fleet.md has it
    std::string gist;  // the same without places and reasons: items of equal gist do the same

    bool operator==(const OutcomeItem&) const = default;
};
using Outcome = std::vector<OutcomeItem>;

// On a machine where nothing is held.
[[nodiscard]] Outcome outcome_of(const Topology& topology, const FleetPolicy& policy);

struct FleetMachine {
    std::string file;
    std::string host;  // its name; empty if the record does not have it
};

// A table of the policy that does nothing on any machine.
struct IdleTable {
    std::string table;  // "rule", "region", "node"
    std::string name;   // empty for a [[node]]
    Place place;
};

class FleetPlan final {
 public:
    // Both outlive the plan. `before`: null if there is nothing to compare with.
    FleetPlan(const FleetPolicy& policy, const FleetPolicy* before);

    void add(const FleetMachine& machine, const Topology& topology);

    [[nodiscard]] std::size_t machines() const { return machines_; }
    // Tables that match on no machine so far.
    [[nodiscard]] std::vector<IdleTable> unmatched() const;
    // Rules that match somewhere, and decide nowhere: an earlier one does wherever they match.
    [[nodiscard]] std::vector<IdleTable> shadowed() const;
    // With `before`: lists of what changes, "changes"; else of what each would do, "outcomes". The groups
    // with the most machines come first; groups of one size, and machines in a group, in the order of add().
    [[nodiscard]] std::string groups_json() const;
    [[nodiscard]] std::size_t unchanged() const { return unchanged_; }

 private:
    struct Group {
        std::string body;  // of its JSON object
        std::vector<FleetMachine> machines;
    };
    void see_matches(const Topology& topology);
    void put(std::string body, const FleetMachine& machine);

    const FleetPolicy& policy_;
    const FleetPolicy* before_;
    std::size_t machines_ = 0;
    std::size_t unchanged_ = 0;
    std::vector<Group> groups_;
    std::map<std::string, std::size_t> by_body_;
    std::vector<bool> rule_matches_, rule_decides_, region_matches_, node_matches_;
};

}  // namespace cxlmemd
