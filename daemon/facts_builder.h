// From the model to what the bus shows. Pure.
#pragma once

#include "daemon/job.h"
#include "daemon/model.h"
#include "dbus/facts.h"
#include "dbus/requests.h"

namespace cxlmemd {

[[nodiscard]] bus::Snapshot build_snapshot(const Model& model, bool working);
[[nodiscard]] bus::JobFacts build_job(const Job& job);

// What Plan and Explain show of a decision: one entry a step, or one entry blocked.
[[nodiscard]] std::vector<bus::PlanEntry> build_plan(const Topology& topology, const Decision& decision);
// The decision as one entry: its first step, or blocked, or none.
[[nodiscard]] bus::PlanEntry build_decision(const Topology& topology, const Decision& decision);
// Regions that are to be made, and [[region]] tables that cannot be fulfilled: without a dax name.
[[nodiscard]] std::vector<bus::PlanEntry> build_region_plan(const Model& model);

}  // namespace cxlmemd
