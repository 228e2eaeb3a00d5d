// SPDX-License-Identifier: LGPL-2.1-or-later
// Regions made and taken back through /sys/bus/cxl (Documentation/ABI/testing/sysfs-bus-cxl, and
// drivers/cxl/core/{region,hdm}.c for the order of writes). libcxl 76, which Debian 12 has, cannot make
// volatile regions, so this writes the attributes itself. What each call promises: backends/backend.h.
// Worker thread.
#pragma once

#include <string>

#include "backends/linux/paths.h"
#include "backends/region_draft.h"
#include "policy/error.h"

namespace cxlmemd {

class RegionCreate final {
 public:
    explicit RegionCreate(const LinuxPaths& paths) : paths_(paths) {}

    [[nodiscard]] Result<RegionDraft> draft(const RegionOrder& order) const;
    [[nodiscard]] Result<> create(const RegionDraft& draft) const;
    [[nodiscard]] Result<> clear(const RegionTrace& trace) const;

 private:
    [[nodiscard]] std::string file(const std::string& device, const std::string& attribute) const;
    [[nodiscard]] Result<> write(const std::string& device, const std::string& attribute,
                                 const std::string& value) const;
    [[nodiscard]] Result<> set_up(const RegionDraft& draft) const;
    [[nodiscard]] Result<> attach(const RegionDraft& draft, std::size_t position) const;
    [[nodiscard]] bool is_ours(const RegionTrace& trace) const;

    const LinuxPaths& paths_;
};

}  // namespace cxlmemd
