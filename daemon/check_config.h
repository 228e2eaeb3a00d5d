// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemd --check-config.
#pragma once

#include "daemon/config_files.h"
#include "daemon/options.h"

namespace cxlmemd {

// Prints one "file:line:column: severity: message" a problem; without FILEs, also the rules in the order in
// which they are tried, and the files that are masked. 0: no errors, 1: errors.
int check_config(const Options& options, const ConfigPaths& paths);

}  // namespace cxlmemd
