// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the kernel's files are. Real ones by default; tests put trees of their own there.
//
// libcxl and libdaxctl always read /sys whatever is said here: what goes through them is tested in a
// mount namespace of its own or in the VM.
#pragma once

#include <string>

namespace cxlmemd {

struct LinuxPaths {
    std::string sys = "/sys";
    std::string proc = "/proc";
    std::string etc = "/etc";
    std::string run = "/run";
    std::string lib = "/usr/lib";
    std::string local_lib = "/usr/local/lib";

    [[nodiscard]] std::string memory() const { return sys + "/devices/system/memory"; }
    [[nodiscard]] std::string nodes() const { return sys + "/devices/system/node"; }
    [[nodiscard]] std::string cxl_devices() const { return sys + "/bus/cxl/devices"; }
    [[nodiscard]] std::string dax_devices() const { return sys + "/bus/dax/devices"; }
    [[nodiscard]] std::string dax_drivers() const { return sys + "/bus/dax/drivers"; }
};

}  // namespace cxlmemd
