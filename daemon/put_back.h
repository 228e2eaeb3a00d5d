// The way back: from what a job took to how it was. Pure.
#pragma once

#include <optional>

#include "daemon/job.h"
#include "policy/plan_removal.h"
#include "policy/topology.h"

namespace cxlmemd {

// The next step: first the driver of a device, then its blocks, zone by zone. Empty if there is nothing left
// to put back.
[[nodiscard]] std::optional<DeviceStep> put_back_step(const Job& job, const Topology& topology);

}  // namespace cxlmemd
