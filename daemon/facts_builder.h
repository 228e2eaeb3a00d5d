// SPDX-License-Identifier: LGPL-2.1-or-later
// From the model to what the bus shows. Pure.
#pragma once

#include <set>
#include <string>

#include "daemon/job.h"
#include "daemon/model.h"
#include "dbus/facts.h"
#include "dbus/requests.h"
#include "policy/summary.h"

namespace cxlmemd {

// What has to be counted device by device, and is kept so that one changed block need not count all.
struct Totals {
    DeviceTotals devices;
    std::set<std::string> failing;  // dax names with a LastError
};

[[nodiscard]] Totals totals_of(const Model& model);
[[nodiscard]] bool is_failing(const Model& model, const std::string& dax);

// `totals` are those of the model.
[[nodiscard]] bus::Snapshot build_snapshot(const Model& model, const Totals& totals, bool working);
// The parts of it that a changed block shows in.
[[nodiscard]] bus::ManagerFacts build_manager(const Model& model, const Totals& totals, bool working);
[[nodiscard]] bus::NodeMemory build_node_memory(const Node& node);
// `decision`: null if there is none.
[[nodiscard]] bus::DaxFacts build_dax(const Model& model, const DaxDevice& device, const Decision* decision);
// The kernel shows a dax device's resource and mappings to root alone; but the resource of a CXL region and
// the numbers of memory blocks to everyone.
[[nodiscard]] bool are_addresses_public(const DaxDevice& device);
[[nodiscard]] bus::JobFacts build_job(const Job& job);

// What Plan and Explain show of a decision: one entry a step, or one entry blocked.
[[nodiscard]] std::vector<bus::PlanEntry> build_plan(const Topology& topology, const Decision& decision);
// The decision as one entry: its first step, or blocked, or none.
[[nodiscard]] bus::PlanEntry build_decision(const Topology& topology, const Decision& decision);
// Regions that are to be made, and [[region]] tables that cannot be fulfilled: without a dax name.
[[nodiscard]] std::vector<bus::PlanEntry> build_region_plan(const Model& model);

}  // namespace cxlmemd
