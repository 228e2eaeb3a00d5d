// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/asked.h"

#include <functional>
#include <string>

namespace cxlmemd {

void carry_out(const CallerAsk& ask, bus::Requests& requests, const Log& log) {
    constexpr std::uint32_t root = 0;
    const auto refused = [&log, what = "ask: " + ask.method + " " + ask.object](const Error& error) {
        log.write(message::step_refused, LogLevel::warning, what + ": " + error.text());
    };
    const auto then = [refused](const Result<std::uint32_t>& job) {
        if (!job) refused(job.error());
    };
    const auto at_once = [&](const Result<>& done) {
        if (!done) refused(done.error());
    };
    const bus::OperationOptions options{
        .amount = ask.amount, .timeout_usec = ask.timeout_usec, .rollback = ask.rollback, .hold = ask.hold};
    if (ask.method == "online") return requests.online(ask.object, ask.zone, options, root, then);
    if (ask.method == "offline") return requests.offline(ask.object, options, root, then);
    if (ask.method == "set-mode") return requests.set_mode(ask.object, ask.mode, options, root, then);
    if (ask.method == "prepare-remove") return requests.prepare_remove(ask.object, options, root, then);
    if (ask.method == "remove-region") return requests.remove_region(ask.object, options, root, then);
    if (ask.method == "hold") return at_once(requests.hold(ask.object));
    if (ask.method == "release") return at_once(requests.release(ask.object));
    if (ask.method == "release-region") return at_once(requests.release_region(ask.object));
    if (ask.method == "release-memdev") return at_once(requests.release_memdev(ask.object));
    if (ask.method == "apply") {
        return requests.apply(root, [refused](const Result<std::vector<std::uint32_t>>& jobs) {
            if (!jobs) refused(jobs.error());
        });
    }
    if (ask.method == "reload") {
        requests.reload(bus::Viewer::root, [refused](const Result<std::uint64_t>& generation) {
            if (!generation) refused(generation.error());
        });
    }
}

}  // namespace cxlmemd
