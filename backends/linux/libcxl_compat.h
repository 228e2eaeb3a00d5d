// SPDX-License-Identifier: LGPL-2.1-or-later
// What libcxl offers only since some version, with the same fact from sysfs where it does not: Debian 12
// has 76.1, Debian 13 has 81. CMakeLists.txt looks which functions are there. Worker thread.
#pragma once

#include <optional>

#include "backends/linux/paths.h"
#include "policy/topology.h"

struct cxl_decoder;
struct cxl_region;

namespace cxlmemd::libcxl {

// cxl_region_get_mode, 77. A region that is not set up yet counts as ram.
[[nodiscard]] RegionType region_type(const LinuxPaths& paths, cxl_region* region);

// cxl_root_decoder_get_qos_class, 79. Absent where the platform gives none.
[[nodiscard]] std::optional<int> qos_class(const LinuxPaths& paths, cxl_decoder* root_decoder);

}  // namespace cxlmemd::libcxl
