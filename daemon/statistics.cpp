// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/statistics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>

namespace cxlmemd {
namespace {

using bus::Statistic;

std::uint64_t usec_of(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

std::optional<std::uint64_t> resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    if (!(statm >> all >> resident)) return std::nullopt;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void add_process(std::vector<Statistic>& out) {
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out.push_back({"cpu_usec", {}, usec_of(usage.ru_utime) + usec_of(usage.ru_stime)});
    if (const auto bytes = resident_bytes()) out.push_back({"resident_bytes", {}, *bytes});
}

}  // namespace

void Statistics::job_ended(const Job& job, std::uint64_t usec) {
    JobSum& sum = jobs_[{job.order.operation, std::string{to_string(job.result)}}];
    ++sum.count;
    sum.usec += usec;
    sum.usec_in_kernel += job.progress.usec_in_writes;
}

std::vector<Statistic> Statistics::all() const {
    std::vector<Statistic> out;
    for (const auto& [key, sum] : jobs_) {
        const bus::StatisticLabels labels{{"operation", key.first}, {"result", key.second}};
        out.push_back({"jobs", labels, sum.count});
        out.push_back({"job_usec", labels, sum.usec});
        out.push_back({"job_kernel_usec", labels, sum.usec_in_kernel});
    }
    std::map<int, std::uint64_t> refused = answers_.refused();
    refused.emplace(EBUSY, 0);  // so that a curve of it begins at 0
    for (const auto& [errnum, count] : refused)
        out.push_back({"kernel_errors", {{"error", errno_name(errnum)}}, count});
    for (const auto& [enforced, count] : drifts_)
        out.push_back({"drifts", {{"answer", enforced ? "enforced" : "reported"}}, count});
    for (const auto& [good, count] : scans_)
        out.push_back({"scans", {{"result", good ? "done" : "failed"}}, count});
    for (const auto& [good, count] : reloads_)
        out.push_back({"reloads", {{"result", good ? "done" : "failed"}}, count});
    out.push_back({"started_usec", {}, started_usec_});
    add_process(out);
    return out;
}

}  // namespace cxlmemd
