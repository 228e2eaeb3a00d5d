// SPDX-License-Identifier: LGPL-2.1-or-later
// Pauses between tries: daemon.toml's [retry]. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "policy/settings.h"

namespace cxlmemd {

// The pause after the given number of failures, 1 or more: it doubles each time.
[[nodiscard]] inline std::uint64_t pause_after(std::uint32_t failures, const RetrySettings& retry) {
    std::uint64_t pause = retry.initial_usec;
    for (std::uint32_t i = 1; i < failures && pause < retry.max_usec; ++i) pause *= 2;
    return std::min(pause, retry.max_usec);
}

}  // namespace cxlmemd
