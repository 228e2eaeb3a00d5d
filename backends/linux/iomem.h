// SPDX-License-Identifier: LGPL-2.1-or-later
// /proc/iomem: who holds a physical range (R10). Pure.
#pragma once

#include <string>
#include <string_view>

#include "policy/topology.h"

namespace cxlmemd {

// The names of the innermost resources that overlap the range, "System RAM (kmem)" for instance, each
// once, joined by ", ". What only contains memory (a CXL window, a region, soft-reserved or persistent
// memory as such) holds nothing. Empty if nothing is there, or if all addresses read as 0, as they do
// for a process without CAP_SYS_ADMIN.
[[nodiscard]] std::string iomem_holder(std::string_view iomem, const PhysRange& range);

}  // namespace cxlmemd
