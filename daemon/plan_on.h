// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemd --plan-on: a policy over recorded machines, as one JSON document on standard output. What
// cxlmemctl plan --on runs and shows. No bus, no kernel, no rights but to read the files.
#pragma once

#include "daemon/config_files.h"
#include "daemon/options.h"

namespace cxlmemd {

// The exit code: 0, 1 if a file could not be used (the others were), 3 if a table matches on no machine.
// The document (docs/fleet.md) is printed in any case.
[[nodiscard]] int plan_on(const Options& options, const ConfigPaths& system);

}  // namespace cxlmemd
