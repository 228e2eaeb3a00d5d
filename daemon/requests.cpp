// Service's answers to callers on the bus.
#include <algorithm>

#include "daemon/facts_builder.h"
#include "daemon/refusals.h"
#include "daemon/service.h"
#include "policy/hardware_words.h"
#include "policy/state_plan.h"
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

bus::Deeds deeds_of(const DevicePlan& plan) {
    const auto has = [&](StepKind kind) {
        return std::ranges::find(plan.steps, kind, &Step::kind) != plan.steps.end();
    };
    return {.takes_offline = has(StepKind::offline),
            .brings_online = has(StepKind::online),
            .sets_mode = has(StepKind::set_mode)};
}

}  // namespace

Result<const DaxDevice*> Service::device(const std::string& dax, const char* operation) const {
    const DaxDevice* found = find_dax(model_.topology, dax);
    if (found == nullptr) return fail(not_found(dax, operation, "dax device"));
    return found;
}

const Decision* Service::decision_for(const std::string& dax) const {
    const auto found =
        std::ranges::find_if(model_.decisions, [&](const Decision& d) { return d.device.name == dax; });
    return found == model_.decisions.end() ? nullptr : &*found;
}

std::vector<bus::PlanEntry> Service::plan(bus::Viewer viewer) {
    std::vector<bus::PlanEntry> out;
    for (const Decision& decision : decide(model_.topology, model_.policy, model_.holds)) {
        std::ranges::move(build_plan(model_.topology, decision), std::back_inserter(out));
    }
    std::ranges::move(build_region_plan(model_), std::back_inserter(out));
    if (viewer != bus::Viewer::root) {
        for (bus::PlanEntry& entry : out) {
            close_text(entry, model_.closed_files);
            close_addresses(entry);
        }
    }
    return out;
}

Result<std::vector<std::uint32_t>> Service::apply(std::uint32_t uid) {
    if (model_.observe_forced) {
        return fail({.code = ErrorCode::invalid_policy,
                     .object = {},
                     .operation = "apply",
                     .errnum = 0,
                     .reason = "the configuration has errors, the daemon only watches",
                     .advice = "mend it and reload"});
    }
    if (model_.observing()) return fail(only_watching("policy", "apply"));
    reconciler_.forget_failures();
    tuner_.forget();
    provisioner_.forget_failures();
    scanner_.look_again();  // what has changed without an event is put right, too
    std::vector<std::uint32_t> out;
    std::optional<Error> busy;
    const std::vector<Decision> decisions = decide(model_.topology, model_.policy, model_.holds);
    for (const std::size_t i : order_of_work(model_.topology, decisions)) {
        const Decision& decision = decisions[i];
        if (decision.verdict != Verdict::act) continue;
        auto id = jobs_.add({.operation = "policy",
                             .target = decision.device,
                             .goal = *decision.goal,
                             .started_by = uid,
                             .by_policy = true,
                             .whole_drain = false,
                             .timeout_usec = {}});
        if (id) {
            out.push_back(*id);
        } else if (!busy) {
            busy = id.error();  // a caller's job is at that device; the others need not wait for it
        }
    }
    if (busy && out.empty()) return fail(*busy);
    refresh();
    return out;
}

Result<std::string> Service::record(bool anonymise) {
    if (model_.scan_error) return fail(*model_.scan_error);  // what is known is older, or nothing
    return emulator::record(model_.topology, options_.recorded_by, anonymise);
}

Result<bus::Explanation> Service::explain(const bus::ObjectName& object, bus::Viewer viewer) {
    auto out = object.noun == bus::Noun::dax ? explain_dax(object.name, viewer) : explain_hardware(object);
    if (out && viewer != bus::Viewer::root) close_addresses(*out);
    return out;
}

Result<bus::Explanation> Service::explain_hardware(const bus::ObjectName& object) {
    const Topology& topology = model_.topology;
    std::optional<HardwareWords> words;
    if (object.noun == bus::Noun::memdev) {
        if (const Memdev* memdev = find_memdev(topology, object.name))
            words = cxlmemd::explain_hardware(topology, *memdev);
    } else if (object.noun == bus::Noun::region) {
        if (const Region* region = find_region(topology, object.name))
            words = cxlmemd::explain_hardware(topology, *region);
    } else if (object.noun == bus::Noun::decoder) {
        if (const RootDecoder* root = find_root_decoder(topology, object.name))
            words = cxlmemd::explain_hardware(topology, *root);
    } else {
        const auto node = std::ranges::find_if(topology.nodes, [&](const Node& each) {
            return "node" + std::to_string(each.id.value()) == object.name;
        });
        if (node != topology.nodes.end()) words = cxlmemd::explain_hardware(topology, *node);
    }
    if (!words) {
        return fail(not_found(object.name, "explain", "object"));
    }
    bus::Explanation out;
    out.verdict = std::move(words->verdict);
    out.decision.action = "none";
    out.decision.zone = "none";
    out.decision.reason = visible(words->reason);
    for (const std::string& obstacle : words->obstacles) out.obstacles.push_back(visible(obstacle));
    return out;
}

Result<bus::Explanation> Service::explain_dax(const std::string& dax, bus::Viewer viewer) {
    auto found = device(dax, "explain");
    if (!found) return fail(found.error());
    const std::vector<Decision> decisions = decide(model_.topology, model_.policy, model_.holds);
    const Decision& decision = *std::ranges::find(decisions, (*found)->id, &Decision::device);

    bus::Explanation out;
    out.verdict = to_string(decision.verdict);
    out.decision = build_decision(model_.topology, decision);
    out.decision.reason = decision.reason;
    out.steps = build_plan(model_.topology, decision);
    out.rejected = rejected_rules(model_.topology, model_.policy, **found);
    const bool hides = viewer != bus::Viewer::root;
    const bool hides_text = hides && is_closed(model_.closed_files, decision.place);
    if (hides) {
        close_text(out.decision, model_.closed_files);
        for (bus::PlanEntry& step : out.steps) close_text(step, model_.closed_files);
        close_text(out.rejected, model_.closed_files);
        for (RejectedRule& rule : out.rejected) {
            if (rule.why.key == "phys_range" && !are_addresses_public(**found))
                rule.why.seen = "an address that only root may read";
        }
    }
    if (const std::string note = hotplug_note(model_.topology, **found); !note.empty())
        out.decision.reason += "; " + note;
    if (decision.plan.blocked)
        out.obstacles.push_back(hides_text ? closed_words : decision.plan.blocked->text());
    if (const auto note = model_.notes.find(dax); note != model_.notes.end()) {
        const DeviceNote& n = note->second;
        if (n.trouble && n.trouble->error != decision.plan.blocked)
            out.obstacles.push_back(n.trouble->error.text());
        if (n.attempts.waiting()) {
            out.obstacles.push_back("waits for its next try, number " +
                                    std::to_string(n.attempts.failures() + 1));
        }
        if (n.attempts.given_up())
            out.obstacles.emplace_back("given up until the device or the policy changes");
    }
    if (decision.verdict == Verdict::held) {
        const Memdev* card = card_to_be_pulled(model_.holds, model_.topology, **found);
        out.obstacles.push_back(decision.held_why + "; cxlmemctl release " +
                                (card != nullptr ? card->name : dax) + " gives it back to policy");
    }
    if (model_.observing()) out.obstacles.emplace_back("the daemon only watches (mode observe)");
    if (const Job* job = jobs_.active(dax)) {
        out.obstacles.push_back("job " + std::to_string(job->id) + " (" + job->order.operation +
                                ") is under way");
    }
    return out;
}

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

Result<std::uint32_t> Service::online(const std::string& dax, const std::string& zone,
                                      const bus::OperationOptions& options, std::uint32_t uid) {
    auto found = device(dax, "online");
    if (!found) return fail(found.error());
    auto goal = online_goal(**found, zone, options);
    if (!goal) return fail(goal.error());
    return start_job(**found,
                     {.operation = "online",
                      .target = (*found)->id,
                      .goal = std::move(*goal),
                      .started_by = uid,
                      .by_policy = false,
                      .whole_drain = false,
                      .timeout_usec = options.timeout_usec},
                     options);
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

Result<std::uint32_t> Service::offline(const std::string& dax, const bus::OperationOptions& options,
                                       std::uint32_t uid) {
    auto found = device(dax, "offline");
    if (!found) return fail(found.error());
    if ((*found)->mode != DaxMode::system_ram && !reboot_required(model_.topology, **found)) {
        return fail(invalid(
            dax, "offline",
            "it is in mode " + std::string{to_string((*found)->mode)} + ", none of its memory is online"));
    }
    const Decision* decision = decision_for(dax);
    Goal goal;
    if (decision != nullptr && decision->goal) {
        goal.drain = decision->goal->drain;
        goal.online_by = decision->goal->online_by;
    }
    goal.amount = AmountNone{};
    return start_job(**found,
                     {.operation = "offline",
                      .target = (*found)->id,
                      .goal = goal,
                      .started_by = uid,
                      .by_policy = false,
                      .whole_drain = true,
                      .timeout_usec = options.timeout_usec},
                     options);
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

Result<std::uint32_t> Service::set_mode(const std::string& dax, const std::string& mode,
                                        const bus::OperationOptions& options, std::uint32_t uid) {
    auto found = device(dax, "set-mode");
    if (!found) return fail(found.error());
    auto goal = mode_goal(**found, mode);
    if (!goal) return fail(goal.error());
    return start_job(**found,
                     {.operation = "set-mode",
                      .target = (*found)->id,
                      .goal = std::move(*goal),
                      .started_by = uid,
                      .by_policy = false,
                      .whole_drain = true,
                      .timeout_usec = options.timeout_usec},
                     options);
}

Result<std::uint32_t> Service::start_job(const DaxDevice& device, JobOrder order,
                                         const bus::OperationOptions& options) {
    if (model_.observe_asked) return fail(only_watching(device.id.name, order.operation));
    if (options.rollback) order.goal.drain.rollback = *options.rollback;
    const DevicePlan plan = plan_device(model_.topology, device, order.goal);
    if (plan.steps.empty() && plan.blocked) {
        scanner_.look_again();       // no event may tell that it is over: the next call knows
        return fail(*plan.blocked);  // known now, said now
    }
    // Held before the job can end: policy must not undo in between what it did. What uses memory of a card
    // says that the card is not to be pulled.
    const DaxDevice target = device;
    const bool fills_card = order.operation != "offline";
    const auto cards = model_.holds.cards;
    auto id = jobs_.add(std::move(order), {}, [&](std::uint32_t job) {
        const bool takes = options.hold && !is_held_by_hand(model_.holds, model_.topology, target);
        auto taken = book_.take_in_hand(model_.topology, target, options.hold, fills_card);
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
