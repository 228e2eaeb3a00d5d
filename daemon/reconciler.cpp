// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/reconciler.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "policy/auto_zone.h"
#include "policy/suspects.h"

namespace cxlmemd {

namespace {

// Undone so often in a row by somebody else, policy stops enforcing.
constexpr std::uint32_t most_enforcements = 2;

// What policy put right and what has stood so long was no fight.
constexpr std::uint64_t peace_usec = 600'000'000;

Log::Fields fields_of(const Decision& decision) {
    Log::Fields out{{"CXLMEMD_DEVICE", decision.device.name},
                    {"CXLMEMD_VERDICT", std::string{to_string(decision.verdict)}}};
    if (!decision.rule.empty()) {
        out.emplace_back("CXLMEMD_RULE", decision.rule);
        out.emplace_back("CXLMEMD_FILE", decision.place.file);
        out.emplace_back("CXLMEMD_LINE", std::to_string(decision.place.line));
    }
    return out;
}

bool is_blocked(const Decision& decision) {
    return decision.plan.blocked.has_value();
}

std::string place_of(const Decision& decision) {
    if (decision.rule.empty()) return {};
    return " [rule '" + decision.rule + "', " + decision.place.file + ":" +
           std::to_string(decision.place.line) + "]";
}

}  // namespace

Reconciler::Reconciler(Clock& clock, Model& model, Jobs& jobs, DriftBook& drifts, const Log& log, Hooks hooks)
    : clock_(clock), model_(model), jobs_(jobs), drifts_(drifts), log_(log), hooks_(std::move(hooks)) {}

void Reconciler::decide_and_act() {
    model_.decisions = decide(model_.topology, model_.policy, model_.holds);
    model_.bound_stand_alone = bound_stand_alone(model_.topology, model_.decisions);
    model_.blocked = static_cast<std::size_t>(std::ranges::count_if(model_.decisions, is_blocked));
    // What is remembered of a device ends with the device (R1).
    std::erase_if(model_.notes, [&](const auto& entry) {
        return find_dax(model_.topology, entry.second.device) == nullptr;
    });
    for (const std::size_t i : order_of_work(model_.topology, model_.decisions)) look_at(model_.decisions[i]);
    looked_once_ = true;
}

void Reconciler::decide_and_act(const std::vector<std::size_t>& devices) {
    for (const std::size_t i : devices) {
        Decision& decision = model_.decisions[i];
        model_.blocked -= is_blocked(decision) ? 1 : 0;
        plan_again(model_.topology, model_.topology.dax_devices[i], decision);
        model_.blocked += is_blocked(decision) ? 1 : 0;
    }
    for (const std::size_t i : devices) look_at(model_.decisions[i]);
}

DeviceNote& Reconciler::note_for(const DaxIdentity& device) {
    auto [it, made] = model_.notes.try_emplace(device.name);
    if (made || it->second.device != device) {
        // Made at its place: what waits in it stays there.
        model_.notes.erase(it);
        it = model_.notes.try_emplace(device.name).first;
        it->second.device = device;
        it->second.arrived_later = looked_once_;
    }
    return it->second;
}

void Reconciler::look_at(const Decision& decision) {
    DeviceNote& note = note_for(decision.device);
    const DaxDevice* device = find_dax(model_.topology, decision.device);
    if (device == nullptr || model_.doubtful.contains(decision.device.name)) return;
    forget_drift_of_new_memory(note, *device);
    if (is_arriving(note, *device)) return;
    const Job* active = jobs_.active(decision.device.name);
    if (active != nullptr && is_removal(active->order.target)) return;  // what policy wants of it is moot
    const bool begins = decision.verdict == Verdict::act && !model_.observing() && active == nullptr &&
                        !is_drift(note, decision, *device) && !was_reported(note, decision, *device);
    if (!begins) announce(note, decision);  // else once the worker has begun

    const bool keeps_off = decision.verdict != Verdict::act && decision.verdict != Verdict::in_policy;
    if (active != nullptr && active->order.by_policy && keeps_off)
        jobs_.supersede_policy(decision.device.name);

    if (note.settled && device->mode != DaxMode::system_ram) note.settled->was_unbound = true;
    if (active == nullptr) end_trouble(note, decision, *device);
    switch (decision.verdict) {
        case Verdict::in_policy:
            // A job for what policy wanted before, not yet begun or half-way, would undo what is right by
            // now.
            if (active != nullptr && active->order.by_policy && active->order.goal != *decision.goal)
                jobs_.supersede_policy(decision.device.name);
            if (model_.observing() || active != nullptr) return;
            settle(note, decision, *device);
            return;
        case Verdict::blocked:
            note.trouble = Trouble{Trouble::Cause::blocked, *decision.plan.blocked, {}};
            return;
        case Verdict::unmanaged:
        case Verdict::ignored:
        case Verdict::held: note.settled.reset(); return;
        case Verdict::act: break;
    }
    if (model_.observing()) return;
    if (active != nullptr) {
        // A policy job for what policy wanted before a reload gives way; what a caller started does not.
        if (active->order.by_policy && active->order.goal != *decision.goal) act(note, decision);
        return;
    }
    if (!begins && !answer_drift(note, decision, *device)) return;
    act(note, decision);
    announce(note, decision);
}

void Reconciler::end_trouble(DeviceNote& note, const Decision& decision, const DaxDevice& device) {
    if (!note.trouble) return;
    using Cause = Trouble::Cause;
    const Verdict verdict = decision.verdict;
    const auto is_over = [&] {
        switch (note.trouble->cause) {
            case Cause::blocked: return verdict != Verdict::blocked;
            case Cause::drift:
                return verdict != Verdict::act || model_.observing() ||
                       !(is_drift(note, decision, device) || was_reported(note, decision, device));
            case Cause::policy:
                return (verdict != Verdict::act && verdict != Verdict::blocked) || model_.observing();
            case Cause::caller:
                return verdict == Verdict::in_policy ||
                       note.trouble->left != state_of(model_.topology, device);
        }
        return false;
    };
    if (is_over()) note.trouble.reset();
}

std::function<void()> Reconciler::again_for(const DaxIdentity& device) const {
    return [this, device] {
        const auto again = model_.notes.find(device.name);
        if (again != model_.notes.end() && again->second.device == device) hooks_.again();
    };
}

bool Reconciler::is_arriving(DeviceNote& note, const DaxDevice& device) {
    const std::size_t present = present_block_count(model_.topology, device);
    const bool all = present >= whole_block_count(device, model_.topology.block_size);
    if (device.mode == DaxMode::system_ram && !all)
        return note.arrival.more_may_come(present, clock_, again_for(device.id));
    note.arrival.complete();
    return false;
}

void Reconciler::settle(DeviceNote& note, const Decision& decision, const DaxDevice& device) {
    const bool anew = !note.settled || note.drift_told || note.settled->goal != *decision.goal;
    const std::uint64_t since = anew ? clock_.now_usec() : note.settled->since_usec;
    note.settled = Settled{.goal = *decision.goal,
                           .state = state_of(model_.topology, device),
                           .ranges = device.ranges,
                           .was_unbound = false,
                           .since_usec = since};
    note.drift_told = false;
    note.trouble.reset();
    note.attempts.reset();
    forget_drift(device);
}

// Policy put it right once, and the same memory is different now: somebody else did that. New memory
// (another range, bound again) is no drift, nor is a zone = "auto" that has come to something else since.
bool Reconciler::is_drift(DeviceNote& note, const Decision& decision, const DaxDevice& device) const {
    if (!note.settled || note.settled->goal != decision.goal) return false;
    const bool wants_ram = decision.goal && decision.goal->mode == ModeWish::system_ram;
    if (note.settled->ranges != device.ranges) return false;
    return !(note.settled->was_unbound && wants_ram && device.mode == DaxMode::system_ram);
}

bool Reconciler::answer_drift(DeviceNote& note, const Decision& decision, const DaxDevice& device) {
    if (was_reported(note, decision, device)) {
        say_drift(note, decision, device,
                  {.code = ErrorCode::conflict,
                   .object = decision.device.name,
                   .operation = {},
                   .errnum = 0,
                   .reason = "changed by somebody else before the daemon was started, and reported then",
                   .advice = "apply puts it right"});
        return false;
    }
    const std::string change = what_changed(note.settled->state, state_of(model_.topology, device)) +
                               " (suspected: " + suspects(model_.topology, decision.plan) + ")";
    const bool enforce = decision.goal && decision.goal->drift == Drift::enforce;
    if (!note.drift_told && clock_.now_usec() - note.settled->since_usec >= peace_usec) note.enforcements = 0;
    if (enforce && (note.enforcements < most_enforcements || note.drift_told)) {
        if (!note.drift_told) {
            ++note.enforcements;
            hooks_.drifted(true);
            log_.write(message::drift, LogLevel::notice,
                       decision.device.name + ": changed by somebody else: " + change +
                           "; put right again: " + decision.plan.reason + place_of(decision),
                       fields_of(decision));
        }
        note.drift_told = true;  // until it is settled again
        return true;
    }
    say_drift(note, decision, device,
              {.code = ErrorCode::conflict,
               .object = decision.device.name,
               .operation = {},
               .errnum = 0,
               .reason = "changed by somebody else: " + change,
               .advice = enforce ? "policy put it right " + std::to_string(most_enforcements) +
                                       " times and stops fighting; find who changes it, then apply"
                                 : "the rule says to report it only; apply puts it right"});
    return false;
}

bool Reconciler::was_reported(const DeviceNote& note, const Decision& decision,
                              const DaxDevice& device) const {
    return !note.settled && decision.verdict == Verdict::act &&
           drifts_.contains(model_.topology, device, decision);
}

void Reconciler::forget_drift(const DaxDevice& device) {
    if (model_.observing()) return;
    if (auto saved = drifts_.remove(model_.topology, device); !saved)
        log_.write(LogLevel::error, "what was reported of drift: " + saved.error().text());
}

// What was reported before the daemon was started is about memory that was there then. A device that comes
// later, or is bound again, has other memory.
void Reconciler::forget_drift_of_new_memory(DeviceNote& note, const DaxDevice& device) {
    const bool is_unbound = device.mode != DaxMode::system_ram;
    const bool is_bound_again = std::exchange(note.was_unbound, is_unbound) && !is_unbound;
    if (std::exchange(note.arrived_later, false) || is_bound_again) forget_drift(device);
}

void Reconciler::say_drift(DeviceNote& note, const Decision& decision, const DaxDevice& device, Error error) {
    if (note.trouble && note.trouble->error == error) return;
    if (auto saved = drifts_.add(model_.topology, device, decision); !saved)
        log_.write(LogLevel::error, "what was reported of drift: " + saved.error().text());
    log_.write(message::drift, LogLevel::warning, error.text() + place_of(decision), fields_of(decision));
    hooks_.drifted(false);
    note.trouble = Trouble{Trouble::Cause::drift, std::move(error), {}};
}

void Reconciler::act(DeviceNote& note, const Decision& decision) {
    if (note.attempts.waiting()) return;
    if (note.attempts.no_room()) {
        if (has_no_room(decision)) return;
        note.attempts.resume();
    }
    if (note.attempts.given_up()) {
        const DaxDevice* device = find_dax(model_.topology, decision.device);
        if (device == nullptr || present_blocks(model_.topology, *device) == note.blocks_when_given_up)
            return;
        note.attempts.reset();
    }
    JobOrder order{.operation = "policy",
                   .target = decision.device,
                   .goal = *decision.goal,
                   .started_by = static_cast<std::uint32_t>(::geteuid()),
                   .by_policy = true,
                   .whole_drain = decision.goal->mode == ModeWish::devdax,
                   .timeout_usec = {}};
    if (auto id = jobs_.add(std::move(order), [&] { announce(note, decision); }); !id)
        log_.write(message::blocked, LogLevel::warning, id.error().text(), fields_of(decision));
}

bool Reconciler::has_no_room(const Decision& decision) const {
    const DaxDevice* device = find_dax(model_.topology, decision.device);
    if (device == nullptr || !decision.goal->split) return false;
    return movable_allowance(model_.topology, *device, decision.goal->split->max_ratio) == 0;
}

void Reconciler::job_ended(const Job& job) {
    for (const DaxDevice* device : devices_of(model_.topology, job.order.target)) {
        const auto found = model_.notes.find(device->id.name);
        if (found == model_.notes.end() || found->second.device != device->id) continue;
        // Whatever the job has come to: what differs now is its doing, and nobody else's.
        if (job.progress.began_usec != 0) {
            found->second.settled.reset();
            forget_drift(*device);
        }
        job_ended(job, found->second, *device);
    }
}

void Reconciler::job_ended(const Job& job, DeviceNote& note, const DaxDevice& device) {
    if (job.result == JobResult::done) {
        note.trouble.reset();
        note.attempts.reset();
        return;
    }
    if (job.stop_reason == StopReason::superseded || job.stop_reason == StopReason::shutdown) return;
    if (!job.order.by_policy && job.stop_reason == StopReason::canceled) return;  // nothing went wrong
    // Of a removal of several devices, only one may have been in the way.
    const bool concerns =
        !is_removal(job.order.target) || (job.error && (job.error->object == device.id.name ||
                                                        job.error->object.starts_with(device.id.name + ":")));
    if (job.error && concerns) {
        const auto cause = job.order.by_policy ? Trouble::Cause::policy : Trouble::Cause::caller;
        note.trouble = Trouble{cause, *job.error, state_of(model_.topology, device)};
    }
    if (!job.order.by_policy) return;
    if (job.no_room && job.failures.given_up.empty() && job.stop_reason == StopReason::none) {
        note.attempts.wait_for_room();  // nothing has failed; it goes on when other memory has come online
        return;
    }
    // Canceled: somebody did not want this, and it does not come back by itself.
    if (job.stop_reason == StopReason::canceled) return give_up(note);
    if (!note.attempts.failed(clock_, model_.settings.retry, again_for(note.device))) {
        give_up(note);
        log_.write(message::given_up, LogLevel::warning,
                   note.device.name + ": given up after " + std::to_string(note.attempts.failures()) +
                       " attempts, until the device or the policy changes",
                   {{"CXLMEMD_DEVICE", note.device.name}});
    }
}

void Reconciler::give_up(DeviceNote& note) {
    note.attempts.give_up();
    if (const DaxDevice* device = find_dax(model_.topology, note.device)) {
        note.blocks_when_given_up = present_blocks(model_.topology, *device);
    }
}

void Reconciler::forget_failures() {
    for (const auto& [name, note] : model_.notes) forget_failures(name);
}

void Reconciler::forget_failures(const std::string& dax) {
    const auto found = model_.notes.find(dax);
    if (found == model_.notes.end()) return;
    DeviceNote& note = found->second;
    note.settled.reset();
    note.enforcements = 0;
    note.drift_told = false;
    note.attempts.reset();
    note.trouble.reset();
    if (const DaxDevice* device = find_dax(model_.topology, note.device)) forget_drift(*device);
}

void Reconciler::announce(DeviceNote& note, const Decision& decision) {
    const DeviceNote::Announced now{decision.verdict, decision.reason};
    if (note.announced == now) return;
    const bool worth_a_line = !note.announced || note.announced->verdict != decision.verdict;
    note.announced = now;
    if (worth_a_line) {
        const bool bad = decision.verdict == Verdict::blocked;
        log_.write(bad ? message::blocked : message::decision, bad ? LogLevel::warning : LogLevel::info,
                   decision.device.name + ": " + decision.reason + place_of(decision), fields_of(decision));
    }
    hooks_.announce(decision);
}

}  // namespace cxlmemd
