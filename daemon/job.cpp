// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/job.h"

#include <algorithm>

namespace cxlmemd {

std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::waiting: return "waiting";
        case JobState::running: return "running";
        case JobState::finished: return "finished";
    }
    return "finished";
}

std::string_view to_string(JobResult result) {
    switch (result) {
        case JobResult::none: return "";
        case JobResult::done: return "done";
        case JobResult::partial: return "partial";
        case JobResult::canceled: return "canceled";
        case JobResult::timeout: return "timeout";
        case JobResult::failed: return "failed";
        case JobResult::gone: return "gone";
    }
    return "failed";
}

std::uint64_t pause_of(std::uint32_t failures) {
    constexpr std::uint64_t first_usec = 50'000;
    constexpr std::uint64_t longest_usec = 2'000'000;
    std::uint64_t pause = first_usec;
    for (std::uint32_t i = 1; i < failures && pause < longest_usec; ++i) pause *= 2;
    return std::min(pause, longest_usec);
}

JobResult result_of(StopReason reason) {
    return reason == StopReason::timeout ? JobResult::timeout : JobResult::canceled;
}

}  // namespace cxlmemd
