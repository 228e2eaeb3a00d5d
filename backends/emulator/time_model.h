// SPDX-License-Identifier: LGPL-2.1-or-later
// What the kernel's memory hotplug costs, in microseconds. All zero: nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cxlmemd::emulator {

// After each block that goes online or offline, kernels before 7.4 look whether the zone has become
// contiguous: from its beginning up to the first hole (mm/mm_init.c, set_zone_contiguous). Onlined upwards, a
// zone is gone through anew for each block.
struct TimeModel {
    std::uint64_t add_usec = 0;      // a block that kmem adds
    std::uint64_t online_usec = 0;   // a block that goes online, without the look at its zone
    std::uint64_t offline_usec = 0;  // the same, offline
    std::uint64_t scan_usec = 0;     // each block of the zone from its beginning to its first hole

    [[nodiscard]] bool is_off() const { return *this == TimeModel{}; }
    bool operator==(const TimeModel&) const = default;
};

// "none"; "before-7.4", from what was measured on 6.12 in a virtual machine with blocks of 128 MiB (32 and
// 128 GiB, up, down and hole first); "7.4", the same without the scan.
[[nodiscard]] inline std::optional<TimeModel> time_model_from(std::string_view text) {
    if (text == "none") return TimeModel{};
    const TimeModel measured{.add_usec = 5'800, .online_usec = 2'000, .offline_usec = 6'400, .scan_usec = 40};
    if (text == "before-7.4") return measured;
    if (text != "7.4") return std::nullopt;
    TimeModel flat = measured;
    flat.scan_usec = 0;
    return flat;
}

}  // namespace cxlmemd::emulator
