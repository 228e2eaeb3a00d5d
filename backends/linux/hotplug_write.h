// SPDX-License-Identifier: LGPL-2.1-or-later
// A write to a memory block's `state` that a signal can end.
//
// While another actor holds the kernel's hotplug lock, such a write waits by restarting itself
// (drivers/base/core.c, lock_device_hotplug_sysfs: try-lock, sleep, restart_syscall): a signal handler runs,
// and the write begins anew, whatever SA_RESTART says. It never returns EINTR, for as long as the other's
// offlining hangs (seen on 6.12 and 7.3). Only what the restarted call finds can be changed:
// break_hotplug_write() puts a file that cannot be written in the place of its descriptor.
#pragma once

#include <string_view>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

// One write(2), one at a time in the process. EINTR after a signal whose handler called
// break_hotplug_write(), also if that was just before the write began.
[[nodiscard]] sysfs::OrErrno<> hotplug_write(const sysfs::Fd& fd, std::string_view value);

// Ends the hotplug_write() that is under way, if there is one. Async-signal-safe; for the worker's handler,
// on the worker's thread.
void break_hotplug_write() noexcept;

}  // namespace cxlmemd
