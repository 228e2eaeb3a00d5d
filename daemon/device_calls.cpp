// SPDX-License-Identifier: LGPL-2.1-or-later
// Service's answers to callers who do something to a dax device.
#include <algorithm>

#include "daemon/refusals.h"
#include "daemon/service.h"
#include "dbus/authorize.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

Error invalid(const std::string& object, const std::string& operation, const std::string& reason,
              const std::string& advice = {}) {
    return {.code = ErrorCode::invalid_argument,
            .object = object,
            .operation = operation,
            .errnum = 0,
            .reason = reason,
            .advice = advice};
}

bool exceeds(const bus::Deeds& deeds, const bus::Deeds& allowed) {
    return (deeds.takes_offline && !allowed.takes_offline) ||
           (deeds.brings_online && !allowed.brings_online) || (deeds.sets_mode && !allowed.sets_mode);
}

bus::Deeds deeds_of(const DevicePlan& plan) {
    const auto has = [&](StepKind kind) {
        return std::ranges::find(plan.steps, kind, &Step::kind) != plan.steps.end();
    };
    return {.takes_offline = has(StepKind::offline),
            .brings_online = has(StepKind::online),
            .sets_mode = has(StepKind::set_mode)};
}

}  // namespace

Result<Goal> Service::online_goal(const DaxDevice& device, const std::string& zone,
                                  const bus::OperationOptions& options) const {
    const std::string& dax = device.id.name;
    const Decision* decision = decision_for(dax);
    Goal goal;
    if (decision != nullptr && decision->goal) {
        goal.drain = decision->goal->drain;
        goal.online_by = decision->goal->online_by;
    }
    if (zone.empty()) {
        if (decision == nullptr || !decision->goal || decision->goal->mode != ModeWish::system_ram) {
            return fail(
                invalid(dax, "online", "no rule says in which zone", "name one: movable, kernel or auto"));
        }
        goal.zone = decision->goal->zone;
    } else if (zone == "movable") {
        goal.zone = ZoneWish::movable;
    } else if (zone == "kernel") {
        goal.zone = ZoneWish::kernel;
    } else if (zone == "auto") {
        goal.zone = ZoneWish::automatic;
    } else {
        return fail(
            invalid(dax, "online", in_quotes(zone) + " is not a zone", "use movable, kernel or auto"));
    }
    if (options.amount) {
        if (*options.amount > device.size.value()) {
            return fail(invalid(dax, "online",
                                "amount " + format_size(Bytes{*options.amount}) +
                                    " is more than the device has (" + format_size(device.size) + ")"));
        }
        if (*options.amount < model_.topology.block_size.value()) {
            return fail(invalid(dax, "online",
                                "amount " + format_size(Bytes{*options.amount}) +
                                    " is less than one memory block of " +
                                    format_size(model_.topology.block_size),
                                "to take everything offline, call Offline"));
        }
        goal.amount = AmountBytes{Bytes{*options.amount}};
    }
    return resolved(model_.topology, model_.policy, model_.holds, device, std::move(goal));
}

void Service::online(const std::string& dax, const std::string& zone, const bus::OperationOptions& options,
                     std::uint32_t uid, Then<std::uint32_t> then) {
    recorder_.called({.method = "online",
                      .object = dax,
                      .zone = zone,
                      .amount = options.amount,
                      .timeout_usec = options.timeout_usec,
                      .rollback = options.rollback,
                      .hold = options.hold},
                     uid);
    start_for(dax,
              {.operation = "online",
               .goal = [=, this](const DaxDevice& target) { return online_goal(target, zone, options); },
               .whole_drain = false,
               .allowed = {.brings_online = true},
               .options = options,
               .uid = uid},
              std::move(then));
}

bus::Deeds Service::deeds_of_online(const std::string& dax, const std::string& zone,
                                    const bus::OperationOptions& options) {
    const auto found = device(dax, "online");
    if (!found) return {};
    const auto goal = online_goal(**found, zone, options);
    return goal ? deeds_of(plan_device(model_.topology, **found, *goal)) : bus::Deeds{};
}

bus::Deeds Service::deeds_of_set_mode(const std::string& dax, const std::string& mode) {
    const auto found = device(dax, "set-mode");
    if (!found) return {};
    const auto goal = mode_goal(**found, mode);
    return goal ? deeds_of(plan_device(model_.topology, **found, *goal)) : bus::Deeds{};
}

Result<Goal> Service::offline_goal(const DaxDevice& device) const {
    const std::string& dax = device.id.name;
    if (device.mode != DaxMode::system_ram && !reboot_required(model_.topology, device)) {
        return fail(invalid(
            dax, "offline",
            "it is in mode " + std::string{to_string(device.mode)} + ", none of its memory is online"));
    }
    const Decision* decision = decision_for(dax);
    Goal goal;
    if (decision != nullptr && decision->goal) {
        goal.drain = decision->goal->drain;
        goal.online_by = decision->goal->online_by;
    }
    goal.amount = AmountNone{};
    return goal;
}

void Service::offline(const std::string& dax, const bus::OperationOptions& options, std::uint32_t uid,
                      Then<std::uint32_t> then) {
    recorder_.called({.method = "offline",
                      .object = dax,
                      .amount = options.amount,
                      .timeout_usec = options.timeout_usec,
                      .rollback = options.rollback,
                      .hold = options.hold},
                     uid);
    start_for(dax,
              {.operation = "offline",
               .goal = [this](const DaxDevice& target) { return offline_goal(target); },
               .whole_drain = true,
               .allowed = {.takes_offline = true},
               .options = options,
               .uid = uid},
              std::move(then));
}

Result<Goal> Service::mode_goal(const DaxDevice& device, const std::string& mode) const {
    const std::string& dax = device.id.name;
    if (mode != "system-ram" && mode != "devdax" && mode != "famfs") {
        return fail(invalid(dax, "set-mode", in_quotes(mode) + " is not a mode to set",
                            "use system-ram, devdax or famfs"));
    }
    const Decision* decision = decision_for(dax);
    const bool has_goal = decision != nullptr && decision->goal;
    Goal goal;
    if (has_goal) goal.drain = decision->goal->drain;
    goal.mode = mode == "devdax"  ? ModeWish::devdax
                : mode == "famfs" ? ModeWish::famfs
                                  : ModeWish::system_ram;
    if (goal.mode == ModeWish::system_ram) {
        if (device.mode == DaxMode::system_ram) {
            goal.mode = ModeWish::ignore;  // there already: no step, and nothing goes offline
        } else if (has_goal && decision->goal->mode == ModeWish::system_ram) {
            goal = *decision->goal;
        } else {
            goal.amount = AmountNone{};  // bound; no rule says where its memory should go
        }
    }
    return goal;
}

void Service::set_mode(const std::string& dax, const std::string& mode, const bus::OperationOptions& options,
                       std::uint32_t uid, Then<std::uint32_t> then) {
    recorder_.called({.method = "set-mode",
                      .object = dax,
                      .mode = mode,
                      .amount = options.amount,
                      .timeout_usec = options.timeout_usec,
                      .rollback = options.rollback,
                      .hold = options.hold},
                     uid);
    start_for(dax,
              {.operation = "set-mode",
               .goal = [this, mode](const DaxDevice& target) { return mode_goal(target, mode); },
               .whole_drain = true,
               .allowed = {.sets_mode = true},
               .options = options,
               .uid = uid},
              std::move(then));
}

void Service::start_for(const std::string& dax, DeviceCall call, Then<std::uint32_t> then) {
    if (model_.observe_asked) return then(fail(only_watching(dax, call.operation)));
    const DaxDevice* meant = find_dax(model_.topology, dax);
    if (meant == nullptr) return then(fail(not_found(dax, call.operation, "dax device")));
    fresh_look_.look_before_refusing<std::uint32_t>(
        FreshLook::Caller::authorised,
        [this, id = meant->id, call = std::move(call)](bool looked) -> Result<std::uint32_t> {
            // Not another one that has its name by now (R7).
            const DaxDevice* target = find_dax(model_.topology, id);
            if (target == nullptr) {
                return fail({.code = ErrorCode::gone,
                             .object = id.name,
                             .operation = call.operation,
                             .errnum = 0,
                             .reason = "the device went away",
                             .advice = {}});
            }
            return start_job(*target, call, looked);
        },
        std::move(then));
}

Result<std::uint32_t> Service::start_job(const DaxDevice& device, const DeviceCall& call, bool looked) {
    auto goal = call.goal(device);
    if (!goal) return fail(goal.error());
    if (call.options.rollback) goal->drain.rollback = *call.options.rollback;
    const DevicePlan plan = plan_device(model_.topology, device, *goal);
    if (plan.steps.empty() && plan.blocked) return fail(*plan.blocked);  // known now, said now
    // The caller's rights were those for what the older scan showed.
    if (looked && !bus::is_trusted(call.uid) && exceeds(deeds_of(plan), call.allowed)) {
        return fail(
            {.code = ErrorCode::busy,
             .object = device.id.name,
             .operation = call.operation,
             .errnum = 0,
             .reason = "the machine has changed since the call was made, and it takes more rights now",
             .advice = "call again"});
    }
    // Held before the job can end: policy must not undo in between what it did. What uses memory of a card
    // says that the card is not to be pulled.
    const DaxDevice target = device;
    const bool fills_card = call.operation != "offline";
    const auto cards = model_.holds.cards;
    auto id = jobs_.add(
        {.operation = call.operation,
         .target = target.id,
         .goal = std::move(*goal),
         .started_by = call.uid,
         .by_policy = false,
         .whole_drain = call.whole_drain,
         .timeout_usec = call.options.timeout_usec},
        {}, [&](std::uint32_t job) {
            const bool takes = call.options.hold && !is_held_by_hand(model_.holds, model_.topology, target);
            auto taken = book_.take_in_hand(model_.topology, target, call.options.hold, fills_card);
            if (taken && takes) taken_holds_[job] = hold_key(model_.topology, target);
            return taken;
        });
    log_ended_preparations(cards);
    refresh();
    return id;
}

Result<> Service::cancel(std::uint32_t job) {
    return jobs_.cancel(job);
}

}  // namespace cxlmemd
