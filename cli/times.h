// SPDX-License-Identifier: LGPL-2.1-or-later
// Points in time as journalctl --since takes them.
#pragma once

#include <cstdint>
#include <string_view>

#include "cli/failure.h"

namespace cxlmemctl {

// CLOCK_REALTIME, microseconds.
[[nodiscard]] std::uint64_t realtime_usec();

// "1 hour ago", "1h 30min ago", "-10min"; "now", "today", "yesterday"; "2026-11-28", "2026-11-28 13:00",
// "2026-11-28 13:00:30.5", "13:00" (today), each with "UTC" behind it or in local time; "@1764335000.5"
// (seconds since 1970). In microseconds since 1970; not in the future as seen from `now_usec`.
[[nodiscard]] Result<std::uint64_t> parse_time(std::string_view text, std::uint64_t now_usec);

}  // namespace cxlmemctl
