// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else on this machine acts on memory blocks: udev's rules (udev_rules.h), tmpfiles.d and daxctl's
// configuration. What the kernel itself does is auto_online_blocks. Worker thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

// Of one file of daxctl.conf.d: its [reconfigure-device] sections; see daxctl-reconfigure-device(1).
[[nodiscard]] std::vector<Competitor> competitors_in_daxctl_conf(const std::string& path,
                                                                 std::string_view text);

// Of one file of tmpfiles.d: the lines that write auto_online_blocks; see tmpfiles.d(5).
[[nodiscard]] std::vector<Competitor> competitors_in_tmpfiles(const std::string& path, std::string_view text);

// Reads the files anew only when one of them has changed, come or gone. A file or folder that cannot be read
// may hold anything: it is a competitor of kind may_online.
class Competitors final {
 public:
    explicit Competitors(LinuxPaths paths);
    ~Competitors();

    [[nodiscard]] const std::vector<Competitor>& look();

 private:
    struct Seen;

    LinuxPaths paths_;
    std::unique_ptr<Seen> seen_;
    std::vector<Competitor> found_;
};

}  // namespace cxlmemd
