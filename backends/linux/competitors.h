// Who else on this machine brings memory online by itself: udev rules and daxctl's configuration. What the
// kernel itself does is auto_online_blocks. Worker thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

// Of one udev rules file: the line that writes "online…" to the state of memory blocks; see udev(7).
[[nodiscard]] std::vector<Competitor> competitors_in_udev_rules(const std::string& path,
                                                                std::string_view text);

// Of one file of daxctl.conf.d: its [reconfigure-device] sections; see daxctl-reconfigure-device(1).
[[nodiscard]] std::vector<Competitor> competitors_in_daxctl_conf(const std::string& path,
                                                                 std::string_view text);

// Reads the folders anew only when one of them has changed.
class Competitors final {
 public:
    explicit Competitors(LinuxPaths paths) : paths_(std::move(paths)) {}

    [[nodiscard]] const std::vector<Competitor>& look();

 private:
    LinuxPaths paths_;
    std::vector<std::int64_t> seen_;  // when each folder was last changed, in ns
    std::vector<Competitor> found_;
};

}  // namespace cxlmemd
