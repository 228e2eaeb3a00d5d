// SPDX-License-Identifier: LGPL-2.1-or-later
// What jobs and scans tell the service, and what it does about it.
#include <fmt/format.h>

#include "daemon/facts_builder.h"
#include "daemon/service.h"

namespace cxlmemd {

namespace {

Log::Fields fields_of(const Job& job) {
    Log::Fields out{{"CXLMEMD_DEVICE", name_of(job.order.target)},
                    {"CXLMEMD_JOB", std::to_string(job.id)},
                    {"CXLMEMD_OPERATION", job.order.operation},
                    {"CXLMEMD_RESULT", std::string{to_string(job.result)}},
                    {"CXLMEMD_STARTED_BY", std::to_string(job.order.started_by)}};
    if (job.error) {
        out.emplace_back("CXLMEMD_ERROR", error_name(job.error->code));
        if (job.error->errnum != 0) out.emplace_back("ERRNO", std::to_string(job.error->errnum));
    }
    if (job.progress.usec_in_writes != 0)
        out.emplace_back("CXLMEMD_KERNEL_USEC", std::to_string(job.progress.usec_in_writes));
    return out;
}

// Since its first step was given to the worker.
std::uint64_t usec_of(const Job& job, std::uint64_t now_usec) {
    return job.progress.began_usec == 0 ? 0 : now_usec - job.progress.began_usec;
}

// Whether it is the kernel that takes so long; nothing where none was asked.
std::string time_of(const Job& job, std::uint64_t now_usec) {
    if (job.progress.usec_in_writes == 0) return {};
    return fmt::format(" in {:.3f} s, {:.3f} s of them in the kernel",
                       static_cast<double>(usec_of(job, now_usec)) / 1e6,
                       static_cast<double>(job.progress.usec_in_writes) / 1e6);
}

}  // namespace

JobHooks Service::job_hooks() {
    JobHooks hooks;
    hooks.topology = [this]() -> const Topology& { return model_.topology; };
    hooks.blocks_changed = [this](const StepReport& report) {
        note_poison(report);
        take_blocks(report.looked_at, report.found);
    };
    hooks.rescan = [this](JobHooks::Looked then) { scanner_.rescan(std::move(then)); };
    hooks.interrupt_scan = [this] { scanner_.interrupt(); };
    hooks.added = [this](const Job& job) {
        // Its device may be new: first the device, then the job. Who is refreshing publishes at its end.
        new_jobs_.push_back(job.id);
        recorder_.job_added(job);
        if (!refreshing_) publish();
    };
    hooks.changed = [this](const Job& job) {
        tell([&](bus::Tree& tree) { tree.update_job(build_job(job)); });
    };
    hooks.ended = [this](const Job& job) {
        statistics_.job_ended(job, usec_of(job, loop_.now_usec()));
        const std::string& name = name_of(job.order.target);
        const bool done = job.result == JobResult::done;
        recorder_.job_ended(job);
        Log::Fields fields = fields_of(job);
        if (const Decision* decision = decision_for(name); job.order.by_policy && decision != nullptr) {
            fields.emplace_back("CXLMEMD_RULE", decision->rule);
        }
        log_.write(done ? message::job_done : message::job_not_done,
                   done ? LogLevel::info : LogLevel::warning,
                   name + ": " + job.order.operation + ": " + std::string{to_string(job.result)} + ", " +
                       std::to_string(job.progress.finished.size()) + " of " +
                       std::to_string(job.progress.blocks_total) + " blocks" +
                       time_of(job, loop_.now_usec()) + (job.error ? " (" + job.error->text() + ")" : ""),
                   fields);
        show_new_jobs();
        removal_ended(job);
        give_hold_back(job);
        if (stopping_) return;
        reconciler_.job_ended(job);
        // What the job did is on the bus before the job's end is; but its device goes after it (R7).
        if (job.result != JobResult::gone) refresh();
        tell([&](bus::Tree& tree) { tree.end_job(build_job(job)); });
        if (job.result != JobResult::gone) publish();
    };
    hooks.removed = [this](const Job& job) { tell([&](bus::Tree& tree) { tree.remove_job(job.id); }); };
    return hooks;
}

Scanner::Hooks Service::scanner_hooks() {
    Scanner::Hooks hooks;
    hooks.scanned = [this](Topology topology) { take_topology(std::move(topology)); };
    hooks.blocks_read = [this](const std::vector<BlockIndex>& looked_at, const std::vector<Block>& found) {
        const BlockChange change = take_blocks(looked_at, found);
        // Somebody else changed something. A node that has its first memory has coordinates and a tier now;
        // and what is blocked may wait for memory of the kernel, which only a scan counts.
        const bool blocked = model_.blocked != 0;
        if (change.changed && (change.structural || change.node_turned || blocked)) scanner_.look_again();
    };
    hooks.removed = [this](const std::string& subject) { jobs_.device_removed(subject); };
    hooks.failed = [this](const Error& error) {
        statistics_.scanned(false);
        if (model_.scan_error != error) {  // it is tried again and again; said once
            log_.write(message::scan_failed, LogLevel::error, "looking at the machine: " + error.text());
        }
        model_.scan_error = error;
        if (started_) publish();
    };
    return hooks;
}

}  // namespace cxlmemd
