// A job and the drivers below its target: those that it leaves, those that go away under it.
#include <algorithm>

#include "daemon/jobs.h"

namespace cxlmemd {

// The owner was not what it was when a block was to be written; now the topology is fresh.
void Jobs::lost_owner(Job& job, const DaxIdentity& owner) {
    if (!is_there(hooks_.topology(), job.order.target)) {
        return finish(job, JobResult::gone);  // the name may live on as another device
    }
    // While it puts back: that device's blocks are no longer offered (put_back_step), the others' are.
    if (job.rolling_back) return pause_or_continue(job, false);
    const DaxDevice* device = find_dax(hooks_.topology(), owner);
    // To a removal, one that went or was unbound in good order is one less.
    const bool done_for_us =
        is_removal(job.order.target) && (device == nullptr || !reboot_required(hooks_.topology(), *device));
    if (done_for_us || device->mode == DaxMode::system_ram) return pause_or_continue(job, false);
    // Somebody unbound it. With blocks online that lost the memory, and the plan says so.
    const JointPlan plan = plan_job(hooks_.topology(), job.order.target, job.order.goal);
    job.error = plan.blocked.value_or(Error{.code = ErrorCode::conflict,
                                            .object = owner.name,
                                            .operation = job.order.operation,
                                            .errnum = 0,
                                            .reason = "somebody else unbound it from kmem",
                                            .advice = {}});
    // Other devices of a removal may have been drained by then.
    is_removal(job.order.target) ? end_or_roll_back(job, JobResult::failed) : finish(job, JobResult::failed);
}

// A driver was left or bound, or a region destroyed.
void Jobs::driver_done(Job& job, const DeviceStep& done, const StepReport& report) {
    const std::uint32_t id = job.id;
    if (job.rolling_back) {
        std::erase_if(job.undo.unbound, [&](const auto& entry) { return entry.first == done.device; });
        if (report.stopped && job.error) {
            job.error->advice = "and it could not be put back: " + report.stopped->text();
        }
    } else if (report.stopped) {
        job.error = report.stopped;
        ++job.failures.mode_tries;
    } else if (done.step.kind == StepKind::destroy_region) {
        job.destroyed = true;
    } else if (is_removal(job.order.target)) {
        if (const DaxDevice* before = find_dax(hooks_.topology(), done.device)) {
            job.undo.unbound.emplace_back(done.device, before->mode);
        }
    }
    // Binding made or removed blocks, perhaps online ones: look before going on.
    busy_ = true;
    hooks_.rescan([this, id, failed = report.stopped] {
        busy_ = false;
        Job* again = get(id);
        if (again == nullptr || again->state == JobState::finished) return pump();
        const bool worth_a_try = failed && failed->code == ErrorCode::busy &&
                                 again->failures.mode_tries <= again->order.goal.drain.retries;
        if (!again->destroyed && !is_there(hooks_.topology(), again->order.target)) {
            finish(*again, JobResult::gone);
        } else if (again->destroyed || again->rolling_back || again->stop_reason != StopReason::none) {
            pause_or_continue(*again, true);  // ends in its turn, as it was asked to
        } else if (failed && !worth_a_try) {
            end_or_roll_back(*again, JobResult::failed);
        } else {
            pause_or_continue(*again, !failed);
        }
        pump();
    });
}

}  // namespace cxlmemd
