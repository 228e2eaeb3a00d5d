// SPDX-License-Identifier: LGPL-2.1-or-later
// Settings of the kernel's memory management below /sys/kernel/mm: weighted interleave
// (Documentation/ABI/testing/sysfs-kernel-mm-mempolicy-weighted-interleave) and demotion
// (sysfs-kernel-mm-numa). Worker thread.
#pragma once

#include <optional>

#include "backends/linux/paths.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

[[nodiscard]] std::optional<bool> read_interleave_auto(const LinuxPaths& paths);
[[nodiscard]] std::optional<bool> read_demotion(const LinuxPaths& paths);

// What they promise is said in backends/backend.h.
[[nodiscard]] Result<> write_interleave_weight(const LinuxPaths& paths, NodeId node, std::uint32_t weight);
[[nodiscard]] Result<> write_interleave_auto(const LinuxPaths& paths, bool on);
[[nodiscard]] Result<> write_demotion(const LinuxPaths& paths, bool on);

}  // namespace cxlmemd
