// SPDX-License-Identifier: LGPL-2.1-or-later
// daemon.toml, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/compile.h"
#include "policy/policy.h"

namespace cxlmemd {

enum class AutoOnlineHandling : std::uint8_t {
    leave,   // whatever auto_online_blocks says stays
    manage,  // write "offline" at start, put the old value back at stop
};
enum class DemotionWish : std::uint8_t { leave, on, off };
enum class LogLevel : std::uint8_t { error, warning, notice, info, debug };

struct RetrySettings {
    std::uint64_t initial_usec = 1'000'000;  // pause before the first new try; doubles each time
    std::uint64_t max_usec = 60'000'000;     // no pause is longer
    std::uint32_t attempts = 8;              // then it waits for a change of the machine or the policy

    bool operator==(const RetrySettings&) const = default;
};

struct Settings {
    AutoOnlineHandling auto_online = AutoOnlineHandling::leave;
    bool auto_reload = false;
    std::optional<double> max_movable_ratio;  // movable : kernel; > 0
    DemotionWish demotion = DemotionWish::leave;
    RetrySettings retry;
    LogLevel log_level = LogLevel::info;

    bool operator==(const Settings&) const = default;
};

struct CompiledSettings {
    Settings settings;  // meaningful only if !has_errors(problems)
    std::vector<Problem> problems;
};

// Pure, any thread; same limits as compile().
[[nodiscard]] CompiledSettings compile_settings(const SourceFile& file);

}  // namespace cxlmemd
