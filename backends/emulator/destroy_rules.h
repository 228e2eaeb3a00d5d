// SPDX-License-Identifier: LGPL-2.1-or-later
// What Backend::destroy_region refuses before the emulated kernel is asked.
#pragma once

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

[[nodiscard]] Result<> may_destroy(const Machine& machine, const RegionIdentity& region);

}  // namespace cxlmemd::emulator
