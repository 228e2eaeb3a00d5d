// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemd --early: before the drivers of CXL are there, and so before there is a bus or a daemon.
#pragma once

#include "backends/linux/paths.h"
#include "daemon/config_files.h"
#include "daemon/options.h"

namespace cxlmemd {

// If the settings say `auto_online = "manage"`, has the kernel let new memory wait, and keeps the old value
// for the daemon to put back. Says on stderr what it did. Returns the exit status: 0, also if there is
// nothing to do (left alone, settings with errors); 1 if the kernel's file or the kept value cannot be
// written.
[[nodiscard]] int hold_auto_online(const Options& options, const ConfigPaths& config,
                                   const LinuxPaths& paths);

}  // namespace cxlmemd
