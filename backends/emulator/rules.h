// SPDX-License-Identifier: LGPL-2.1-or-later
// What every backend owes its caller before it asks the kernel (backends/backend.h), for the emulated
// machine.
#pragma once

#include "backends/backend.h"
#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

[[nodiscard]] Result<> may_set_block(const Machine& machine, const DaxIdentity& owner, BlockIndex block,
                                     BlockTarget target);
[[nodiscard]] Result<> may_set_hotplug_state(const Machine& machine, const DaxIdentity& identity,
                                             HotplugState state);
[[nodiscard]] Result<> may_set_mode(const Machine& machine, const DaxIdentity& identity, DaxMode mode);

}  // namespace cxlmemd::emulator
