// SPDX-License-Identifier: LGPL-2.1-or-later
// Service and the kernel's auto_online_blocks: told to wait while the daemon runs, put back when it stops.
#include "daemon/service.h"

namespace cxlmemd {

void Service::manage_auto_online(std::function<void()> then) {
    if (stopping_) return then();
    const bool wanted = model_.settings.auto_online == AutoOnlineHandling::manage && !model_.observing();
    // What was asked of the kernel last, even if the worker has not come to it yet, or no scan has seen it.
    const AutoOnline now = auto_online_asked_.value_or(model_.topology.auto_online);
    if (!wanted || now == AutoOnline::offline) return then();
    if (auto kept = keeper_.remember(now); !kept) {
        log_.write(
            message::auto_online, LogLevel::error,
            "auto_online_blocks is left alone: its old value could not be kept: " + kept.error().text());
        return then();
    }
    const std::uint64_t ask = auto_online_is_asked(AutoOnline::offline);
    worker_.submit([this, ask, then = std::move(then)](Backend& backend) -> Worker::Completion {
        auto done = backend.set_auto_online(AutoOnline::offline);
        return [this, ask, done, then] {
            if (done) {
                auto_online_since_usec_ = clock_.now_usec();
                log_.write(
                    message::auto_online, LogLevel::notice,
                    "auto_online_blocks is offline while the daemon runs: policy brings memory online");
            } else {
                log_.write(message::auto_online, LogLevel::error, done.error().text());
            }
            auto_online_answered(ask);
            then();
        };
    });
}

// Another process wrote it while it is ours to manage; no event tells of that.
void Service::keep_auto_online() {
    constexpr std::uint32_t most_undone = 3;
    constexpr std::uint64_t peace_usec = 600'000'000;
    const bool ours = model_.settings.auto_online == AutoOnlineHandling::manage && !model_.observing();
    if (!started_ || stopping_ || !ours || auto_online_asked_) return;
    const AutoOnline now = model_.topology.auto_online;
    if (now == AutoOnline::offline) return;
    if (clock_.now_usec() - auto_online_since_usec_ >= peace_usec) auto_online_undone_ = 0;
    if (auto_online_undone_ > most_undone) return;
    const std::string what =
        "another process wrote " + std::string{to_string(now)} + " to auto_online_blocks";
    if (++auto_online_undone_ > most_undone) {
        log_.write(message::auto_online, LogLevel::error,
                   what + " again and again: it is no longer put right; find which, then reload");
        return;
    }
    // What that process wrote is not what was there before us.
    if (auto kept = keeper_.remember(AutoOnline::offline); !kept)
        log_.write(message::auto_online, LogLevel::error, kept.error().text());
    auto_online_since_usec_ = clock_.now_usec();
    log_.write(message::auto_online, LogLevel::warning, what + " while the daemon manages it: offline again");
    manage_auto_online([] {});
}

std::uint64_t Service::auto_online_is_asked(AutoOnline value) {
    auto_online_asked_ = value;
    return ++auto_online_asks_;
}

void Service::auto_online_answered(std::uint64_t ask) {
    scanner_.when_scanned([this, ask] {
        if (ask == auto_online_asks_) auto_online_asked_.reset();
    });
}

std::uint64_t Service::put_auto_online_back(std::function<void()> then) {
    auto old = keeper_.remembered();
    if (!old) log_.write(message::auto_online, LogLevel::error, old.error().text());
    const std::optional<AutoOnline> value = old ? *old : std::nullopt;
    const std::uint64_t ask = value ? auto_online_is_asked(*value) : auto_online_asks_;
    return worker_.submit([this, value, ask, then = std::move(then)](Backend& backend) -> Worker::Completion {
        Result<> done;
        if (value) done = backend.set_auto_online(*value);
        return [this, value, ask, done, then] {
            if (!done) log_.write(message::auto_online, LogLevel::error, done.error().text());
            // Unless it is managed again by now: then the value is still to be put back one day.
            if (done && value && ask == auto_online_asks_) keeper_.forget();
            if (value && !stopping_) auto_online_answered(ask);
            then();
        };
    });
}

}  // namespace cxlmemd
