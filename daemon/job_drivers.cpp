// SPDX-License-Identifier: LGPL-2.1-or-later
// A job and the drivers below its target: those that it leaves, those that go away under it.
#include <algorithm>

#include "daemon/jobs.h"

namespace cxlmemd {

// The owner was not what it was when a block was to be written; now the topology is fresh.
void Jobs::lost_owner(Job& job, const DaxIdentity& owner) {
    const DaxDevice* device = find_dax(hooks_.topology(), owner);
    // To a removal, one that went or was unbound in good order is one less.
    const bool done_for_us =
        is_removal(job.order.target) && (device == nullptr || !reboot_required(hooks_.topology(), *device));
    if (done_for_us || device == nullptr || device->mode == DaxMode::system_ram) return;
    // Somebody unbound it. With blocks online that lost the memory, and the plan says so.
    const JointPlan plan = plan_job(hooks_.topology(), job.order.target, job.order.goal);
    if (plan.steps.empty() && !plan.blocked) return;  // and that is what was wanted
    job.error = plan.blocked.value_or(Error{.code = ErrorCode::conflict,
                                            .object = owner.name,
                                            .operation = job.order.operation,
                                            .errnum = 0,
                                            .reason = "somebody else unbound it from kmem",
                                            .advice = {}});
    job.hopeless = true;
}

// A driver was left or bound, or a region destroyed.
void Jobs::driver_done(Job& job, const DeviceStep& done, const StepReport& report) {
    // Binding made or removed blocks, perhaps online ones: look before going on.
    job.look_due = true;
    ready_.push_front(job.id);
    if (!report.stopped) {
        if (done.step.kind == StepKind::destroy_region) {
            job.destroyed = true;
            job.look_due = false;
            return;
        }
        Tries& tries = job.failures.drivers[done.device.name];
        ++tries.succeeded;
        tries.not_before_usec = clock_.now_usec() + pause_of(tries.succeeded);
        return;
    }
    // Asked to stop, it ends in its turn; interrupted by anything else, it is tried again.
    if (report.stopped->code == ErrorCode::canceled && !job.rolling_back()) return;
    Tries& tries = job.failures.drivers[done.device.name];
    ++tries.failed;
    tries.not_before_usec = clock_.now_usec() + pause_of(tries.failed);
    const bool hopeless =
        report.stopped->code != ErrorCode::busy || tries.failed > job.order.goal.drain.retries;
    if (job.rolling_back()) {
        job.ending->put_back_error = report.stopped;
        if (hopeless) job.failures.drivers_given_up.insert(done.device.name);
        return;
    }
    job.error = report.stopped;
    job.hopeless = hopeless;
}

}  // namespace cxlmemd
