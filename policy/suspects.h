// SPDX-License-Identifier: LGPL-2.1-or-later
// Who may have changed a device's memory behind policy's back, as far as the machine shows it. Pure, any
// thread.
#pragma once

#include <string>

#include "policy/decide.h"

namespace cxlmemd {

// "the kernel itself (auto_online_blocks is 'online') or a udev rule (FILE:LINE)": who could have brought
// about what the plan would put right. Where nothing known could have, that is said.
[[nodiscard]] std::string suspects(const Topology& topology, const DevicePlan& plan);

}  // namespace cxlmemd
