// SPDX-License-Identifier: LGPL-2.1-or-later
// In what two topologies differ, in words.
#pragma once

#include <string>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd::emulator {

// Memory in use is recorded in steps of this.
inline constexpr Bytes used_step{64ULL << 20};

// A line a difference: what `original` has, and what `copy` has in its place. Generations never agree between
// two machines and are not looked at; kernel_available counts only beyond used_step. Empty: they show the
// same. Pure.
[[nodiscard]] std::vector<std::string> differences(const Topology& original, const Topology& copy);

}  // namespace cxlmemd::emulator
