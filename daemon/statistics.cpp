// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/statistics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <optional>

namespace cxlmemd {
namespace {

using bus::Statistic;

std::uint64_t usec_of(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

std::string name_of_errno(int error) {
    const char* name = strerrorname_np(error);
    return name != nullptr ? name : std::to_string(error);
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

void Statistics::step_done(const StepReport& report) {
    for (const BlockFailure& failure : report.failed) {
        if (failure.error.errnum != 0) ++kernel_errors_[name_of_errno(failure.error.errnum)];
    }
    if (report.stopped && report.stopped->errnum != 0)
        ++kernel_errors_[name_of_errno(report.stopped->errnum)];
}

std::vector<Statistic> Statistics::all() const {
    std::vector<Statistic> out;
    for (const auto& [key, sum] : jobs_) {
        const bus::StatisticLabels labels{{"operation", key.first}, {"result", key.second}};
        out.push_back({"jobs", labels, sum.count});
        out.push_back({"job_usec", labels, sum.usec});
        out.push_back({"job_kernel_usec", labels, sum.usec_in_kernel});
    }
    for (const auto& [error, count] : kernel_errors_)
        out.push_back({"kernel_errors", {{"error", error}}, count});
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
