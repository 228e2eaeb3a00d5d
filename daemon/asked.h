// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls that a scenario of the emulator makes (`ask`), as if root had made them on the bus. Loop thread.
#pragma once

#include "backends/emulator/emulator_backend.h"
#include "daemon/log.h"
#include "dbus/requests.h"

namespace cxlmemd {

// Asynchronous as on the bus; a call that is refused is logged.
void carry_out(const CallerAsk& ask, bus::Requests& requests, const Log& log);

}  // namespace cxlmemd
