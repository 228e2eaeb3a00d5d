// SPDX-License-Identifier: LGPL-2.1-or-later
// Follows jobs to their end.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/event_pump.h"
#include "cli/failure.h"

namespace cxlmemctl {

// Subscribes when it is made, and each job is read after that. So it is made after the call that starts the
// jobs, which need not wait for it: one that has ended meanwhile can be read for ten seconds. Lives until the
// program ends (the subscriptions refer to it).
class JobWatch final {
 public:
    // `draw` is called with the jobs' properties whenever they may have changed, and once a second.
    using Draw = std::function<void(const std::vector<nlohmann::json>& jobs)>;
    // What is to become of the jobs on Ctrl-C.
    enum class OnInterrupt { leave, cancel, wait };
    using Interrupted = std::function<OnInterrupt(EventPump& pump)>;

    explicit JobWatch(Client& client);
    JobWatch(const JobWatch&) = delete;
    JobWatch& operator=(const JobWatch&) = delete;

    // Waits until all of them have ended. Returns their last properties, with Path, in the same order.
    // Fails as `interrupted` if they are to be left on Ctrl-C (they go on), as `unreachable` if the daemon
    // leaves the bus. May throw sdbus::Error.
    [[nodiscard]] Result<std::vector<nlohmann::json>> wait(const std::vector<std::string>& paths,
                                                           const Draw& draw, const Interrupted& interrupted);

 private:
    // What the daemon says now; what was heard last if the object is gone.
    [[nodiscard]] nlohmann::json read(const std::string& path);
    [[nodiscard]] bool finished(const std::string& path) const;
    void cancel(const std::vector<std::string>& paths);
    [[nodiscard]] std::vector<nlohmann::json> heard(const std::vector<std::string>& paths) const;

    Client& client_;
    std::map<std::string, nlohmann::json> heard_;  // job path → properties, of all jobs
    bool daemon_gone_ = false;
};

}  // namespace cxlmemctl
