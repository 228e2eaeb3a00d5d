// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/call_record.h"

#include <ctime>
#include <utility>

namespace cxlmemd {

std::uint64_t monotonic_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

std::uint64_t realtime_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

void CallRecord::begin(std::function<std::string()> what) {
    const std::lock_guard lock{mutex_};
    call_ = {.number = call_.number + 1, .what = {}, .begin_usec = clock_(), .interrupted_usec = {}};
    what_ = std::move(what);
    under_way_ = true;
}

void CallRecord::end() {
    const std::lock_guard lock{mutex_};
    under_way_ = false;
    what_ = nullptr;
}

void CallRecord::interrupted() {
    const std::lock_guard lock{mutex_};
    if (under_way_ && !call_.interrupted_usec) call_.interrupted_usec = clock_();
}

std::optional<CallRecord::Call> CallRecord::current() const {
    const std::lock_guard lock{mutex_};
    if (!under_way_) return std::nullopt;
    Call out = call_;
    out.what = what_();
    return out;
}

std::uint64_t CallRecord::calls() const {
    const std::lock_guard lock{mutex_};
    return call_.number;
}

}  // namespace cxlmemd
