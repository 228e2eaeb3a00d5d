// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/fresh_look.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cxlmemd {

namespace {

// After a scan a pause of so many times what it took, as in a storm of events (daemon/scanner.cpp).
constexpr std::uint64_t rest_for_work = 4;
constexpr std::uint64_t longest_rest_usec = 250'000;

Error outdated_because(std::string reason) {
    return {.code = ErrorCode::timed_out,
            .object = {},
            .operation = "scan",
            .errnum = 0,
            .reason = std::move(reason),
            .advice = "call again"};
}

Error stopping() {
    return {.code = ErrorCode::canceled,
            .object = {},
            .operation = {},
            .errnum = 0,
            .reason = "the daemon is stopping",
            .advice = {}};
}

}  // namespace

void FreshLook::look(Caller caller, Then then) {
    if (const auto reason = why_not_now(caller)) return then(reason);
    waiting_.push_back({caller, clock_.now_usec(), std::move(then)});
    if (!patience_) watch_patience();
    begin_scan();
}

std::optional<Error> FreshLook::why_not_now(Caller caller) const {
    if (closed_) return stopping();
    if (const std::string call = hooks_.stuck_call(); !call.empty())
        return outdated_because("no scan is possible, stuck in the kernel: " + call + " has not returned");
    const auto strangers =
        static_cast<std::size_t>(std::ranges::count(waiting_, Caller::anyone, &Waiting::caller));
    const bool full = waiting_.size() >= most || (caller == Caller::anyone && strangers >= most_of_anyone);
    if (full) return outdated_because("too many callers wait for a scan");
    return std::nullopt;
}

void FreshLook::begin_scan() {
    if (scanning_ || pause_ || waiting_.empty()) return;
    const std::uint64_t now = clock_.now_usec();
    if (due_usec_ > now + credit_usec) {
        pause_ = clock_.after(due_usec_ - credit_usec - now, [this] {
            pause_.reset();
            begin_scan();
        });
        return;
    }
    scanning_ = true;
    in_scan_ = waiting_.size();
    hooks_.rescan([this, now](const std::optional<Error>& failed) { scanned(now, failed); });
}

void FreshLook::scanned(std::uint64_t began_usec, const std::optional<Error>& failed) {
    scanning_ = false;
    const std::uint64_t took = clock_.now_usec() - began_usec;
    due_usec_ = std::max(due_usec_, began_usec) +
                std::max(least_gap_usec, took + std::min(rest_for_work * took, longest_rest_usec));
    const std::size_t count = std::exchange(in_scan_, 0);
    if (!failed) {
        answer_first(count, std::nullopt);
    } else if (failed->code != ErrorCode::canceled) {
        answer_first(count, outdated_because("the scan failed: " + failed->text()));
    }  // else a job interrupted it: the next one is theirs
    begin_scan();
}

void FreshLook::answer_first(std::size_t count, const std::optional<Error>& outdated) {
    std::vector<Then> answered;
    for (; count != 0; --count) {
        answered.push_back(std::move(waiting_.front().then));
        waiting_.pop_front();
    }
    watch_patience();
    for (const Then& then : answered) then(outdated);
}

void FreshLook::watch_patience() {
    patience_.reset();
    if (waiting_.empty()) {
        pause_.reset();
        return;
    }
    const std::uint64_t until = waiting_.front().since_usec + patience_usec;
    const std::uint64_t now = clock_.now_usec();
    patience_ = clock_.after(until > now ? until - now : 0, [this] { patience_is_over(); });
}

void FreshLook::patience_is_over() {
    const std::uint64_t now = clock_.now_usec();
    const auto waits = [&](const Waiting& each) { return each.since_usec + patience_usec > now; };
    const auto count = static_cast<std::size_t>(std::ranges::find_if(waiting_, waits) - waiting_.begin());
    in_scan_ -= std::min(in_scan_, count);
    answer_first(count, outdated_because("no scan ended in " + std::to_string(patience_usec / 1'000'000) +
                                         " s: the worker is busy"));
}

Error FreshLook::as_of_last_scan(Error refusal, const Error& outdated) {
    refusal.reason += " (as of the last scan; since then: " + outdated.reason + ")";
    return refusal;
}

void FreshLook::close() {
    closed_ = true;
    in_scan_ = 0;
    answer_first(waiting_.size(), stopping());
}

}  // namespace cxlmemd
