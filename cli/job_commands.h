// SPDX-License-Identifier: LGPL-2.1-or-later
// What all commands that start jobs share: start, wait, say how it ended.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/args.h"
#include "cli/client.h"
#include "cli/output.h"

namespace cxlmemctl {

struct Started {
    std::vector<std::string> jobs;   // object paths
    std::optional<Failure> failure;  // what kept further jobs from being started
};

// Calls `start`; waits for its jobs unless --no-block; prints how they ended, then the failure. `start`
// may throw sdbus::Error as long as it has started nothing.
[[nodiscard]] Result<Exit> run_jobs(const Args& args, Client& client, Output& out,
                                    const std::function<Started()>& start);

}  // namespace cxlmemctl
