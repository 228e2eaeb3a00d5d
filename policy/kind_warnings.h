// SPDX-License-Identifier: LGPL-2.1-or-later
// Rules whose meaning changes with the kernel: the same memory is "hmem" to older kernels and "cxl-ram" to
// those from 7.1 on. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

// A device of this machine that another kernel may call otherwise.
struct SeenKind {
    std::string dax;
    DaxKind kind = DaxKind::hmem;  // or cxl_ram

    bool operator==(const SeenKind&) const = default;
};

// Those whose memory a CXL window covers.
[[nodiscard]] std::vector<SeenKind> seen_kinds(const Topology& topology);

// A warning at each rule that names one of the two kinds, where the machine has the other one and no rule
// names that.
[[nodiscard]] std::vector<Problem> kind_warnings(const Policy& policy, const std::vector<SeenKind>& seen);

}  // namespace cxlmemd
