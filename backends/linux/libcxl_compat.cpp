// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/libcxl_compat.h"

#include <cxl/libcxl.h>

#include "backends/linux/sysfs.h"

namespace cxlmemd::libcxl {

#if HAVE_CXL_REGION_GET_MODE
RegionType region_type(const LinuxPaths&, cxl_region* region) {
    return cxl_region_get_mode(region) == CXL_DECODER_MODE_PMEM ? RegionType::pmem : RegionType::ram;
}
#else
RegionType region_type(const LinuxPaths& paths, cxl_region* region) {
    const auto mode = sysfs::read(paths.cxl_devices() + "/" + cxl_region_get_devname(region) + "/mode");
    return mode && *mode == "pmem" ? RegionType::pmem : RegionType::ram;
}
#endif

namespace {

int raw_qos_class([[maybe_unused]] const LinuxPaths& paths, cxl_decoder* root_decoder) {
#if HAVE_CXL_ROOT_DECODER_GET_QOS_CLASS
    return cxl_root_decoder_get_qos_class(root_decoder);
#else
    return sysfs::read_int(paths.cxl_devices() + "/" + cxl_decoder_get_devname(root_decoder) + "/qos_class")
        .value_or(-1);
#endif
}

}  // namespace

std::optional<int> qos_class(const LinuxPaths& paths, cxl_decoder* root_decoder) {
    const int value = raw_qos_class(paths, root_decoder);
    return value < 0 ? std::nullopt : std::optional<int>{value};
}

}  // namespace cxlmemd::libcxl
