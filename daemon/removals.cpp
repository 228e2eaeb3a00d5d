// SPDX-License-Identifier: LGPL-2.1-or-later
// Service's answers to callers who take a region or a card away.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/refusals.h"
#include "daemon/service.h"

namespace cxlmemd {

namespace {

// Of several rules' settings the most patient.
DrainSettings patient(const DrainSettings& a, const DrainSettings& b) {
    const bool no_limit = a.timeout_usec == 0 || b.timeout_usec == 0;
    return {.timeout_usec = no_limit ? 0 : std::max(a.timeout_usec, b.timeout_usec),
            .retries = std::max(a.retries, b.retries),
            .rollback = a.rollback || b.rollback};
}

}  // namespace

void Service::remove_region(const std::string& region, const bus::OperationOptions& options,
                            std::uint32_t uid, Then<std::uint32_t> then) {
    recorder_.called({.method = "remove-region",
                      .object = region,
                      .amount = options.amount,
                      .timeout_usec = options.timeout_usec,
                      .rollback = options.rollback,
                      .hold = options.hold},
                     uid);
    const Region* found = find_region(model_.topology, region);
    if (found == nullptr) return then(fail(not_found(region, "remove", "region")));
    start_removal("remove", identity_of(model_.topology, *found), options, uid, std::move(then));
}

void Service::prepare_remove(const std::string& memdev, const bus::OperationOptions& options,
                             std::uint32_t uid, Then<std::uint32_t> then) {
    recorder_.called({.method = "prepare-remove",
                      .object = memdev,
                      .amount = options.amount,
                      .timeout_usec = options.timeout_usec,
                      .rollback = options.rollback,
                      .hold = options.hold},
                     uid);
    const Memdev* found = find_memdev(model_.topology, memdev);
    if (found == nullptr) return then(fail(not_found(memdev, "prepare-remove", "memdev")));
    start_removal("prepare-remove", identity_of(*found), options, uid, std::move(then));
}

void Service::start_removal(const std::string& operation, JobTarget target,
                            const bus::OperationOptions& options, std::uint32_t uid,
                            Then<std::uint32_t> then) {
    JobOrder order{.operation = operation,
                   .target = std::move(target),
                   .goal = {},
                   .started_by = uid,
                   .by_policy = false,
                   .whole_drain = true,
                   .timeout_usec = options.timeout_usec};
    if (model_.observe_asked) return then(fail(only_watching(name_of(order.target), order.operation)));
    fresh_look_.look_before_refusing<std::uint32_t>(
        FreshLook::Caller::authorised,
        [this, order = std::move(order), options](bool) { return remove_now(order, options); },
        std::move(then));
}

Result<std::uint32_t> Service::remove_now(JobOrder order, const bus::OperationOptions& options) {
    if (!is_there(model_.topology, order.target)) {
        return fail({.code = ErrorCode::gone,
                     .object = name_of(order.target),
                     .operation = order.operation,
                     .errnum = 0,
                     .reason = "the " + std::string{noun_of(order.target)} + " went away",
                     .advice = {}});
    }
    const JointPlan plan = plan_job(model_.topology, order.target, order.goal);
    if (plan.steps.empty() && plan.blocked) return fail(*plan.blocked);  // known now, said now

    std::optional<DrainSettings> drain;
    for (const DaxDevice* device : devices_of(model_.topology, order.target)) {
        const Decision* decision = decision_for(device->id.name);
        if (decision == nullptr || !decision->goal) continue;
        drain = drain ? patient(*drain, decision->goal->drain) : decision->goal->drain;
    }
    order.goal.drain = drain.value_or(DrainSettings{});
    order.goal.amount = AmountNone{};
    if (options.rollback) order.goal.drain.rollback = *options.rollback;

    const JobTarget target = order.target;
    auto id = jobs_.add(std::move(order), {}, [&](std::uint32_t job) { return mark_removal(job, target); });
    refresh();
    return id;
}

// On disk before the job begins, so that whoever starts after a crash knows of it.
Result<> Service::mark_removal(std::uint32_t job, const JobTarget& target) {
    if (removals_.contains(job)) return {};  // asked for once more
    const auto marked = [&](auto marks) -> Result<> {
        if (!marks) return fail(marks.error());
        removals_.emplace(job, Removal{std::move(*marks), std::nullopt});
        return {};
    };
    if (const auto* card = std::get_if<MemdevIdentity>(&target)) {
        const Memdev* memdev = find_memdev(model_.topology, *card);
        return memdev == nullptr ? Result<>{} : marked(book_.begin(*memdev, job));
    }
    // While the job is there, policy keeps off (Jobs::active).
    return marked(book_.begin_region_removal(model_.topology, devices_of(model_.topology, target)));
}

}  // namespace cxlmemd
