// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns the loop until something holds, as often as it takes and no longer.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "daemon/event_loop.h"

namespace cxlmemd::test {

inline void turn_until(EventLoop& loop, const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!condition()) {
        ASSERT_LT(std::chrono::steady_clock::now(), until);
        ASSERT_GE(::sd_event_run(loop.raw(), 1'000'000), 0);
    }
}

}  // namespace cxlmemd::test
