// SPDX-License-Identifier: LGPL-2.1-or-later
// What the daemon has done since it was started, counted, for those who draw curves of it. Loop thread;
// nothing of it survives the process.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/job.h"
#include "daemon/kernel_answers.h"
#include "dbus/requests.h"

namespace cxlmemd {

class Statistics final {
 public:
    // `started_usec`: since 1970. `answers` outlive it.
    Statistics(std::uint64_t started_usec, const KernelAnswers& answers)
        : started_usec_(started_usec), answers_(answers) {}

    // Its last word is known; `usec` since its first step was given to the worker, 0 if none was.
    void job_ended(const Job& job, std::uint64_t usec);
    // What somebody else changed was put right, or reported.
    void drift(bool enforced) { ++drifts_[enforced]; }
    void scanned(bool succeeded) { ++scans_[succeeded]; }
    void reloaded(bool succeeded) { ++reloads_[succeeded]; }

    // With what the kernel says of this process now; what it does not say is left out.
    [[nodiscard]] std::vector<bus::Statistic> all() const;

 private:
    struct JobSum {
        std::uint64_t count = 0;
        std::uint64_t usec = 0;
        std::uint64_t usec_in_kernel = 0;
    };
    std::uint64_t started_usec_;
    const KernelAnswers& answers_;
    std::map<std::pair<std::string, std::string>, JobSum> jobs_;  // by operation and result
    std::map<bool, std::uint64_t> drifts_{{false, 0}, {true, 0}};
    std::map<bool, std::uint64_t> scans_{{false, 0}, {true, 0}};
    std::map<bool, std::uint64_t> reloads_{{false, 0}, {true, 0}};
};

}  // namespace cxlmemd
