// SPDX-License-Identifier: LGPL-2.1-or-later
// Service's answers to callers on the bus who ask what there is, or let policy act.
#include <algorithm>

#include "daemon/facts_builder.h"
#include "daemon/refusals.h"
#include "daemon/service.h"
#include "policy/hardware_words.h"
#include "policy/state_plan.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

bus::PlanEntry older_scan(const Error& outdated) {
    bus::PlanEntry out;
    out.action = "none";
    out.zone = "none";
    out.reason = "this plan is from an older scan: " + outdated.text();
    return out;
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

void Service::plan(bus::Viewer viewer, Then<std::vector<bus::PlanEntry>> then) {
    fresh_look_.look(FreshLook::Caller::anyone,
                     [this, viewer, then = std::move(then)](const std::optional<Error>& outdated) {
                         if (stopping_) return then(fail(*outdated));
                         std::vector<bus::PlanEntry> out = planned(viewer);
                         if (outdated) out.push_back(older_scan(*outdated));
                         then(std::move(out));
                     });
}

std::vector<bus::PlanEntry> Service::planned(bus::Viewer viewer) const {
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

void Service::apply(std::uint32_t uid, Then<std::vector<std::uint32_t>> then) {
    recorder_.called({.method = "apply", .object = {}}, uid);
    if (const auto may = may_apply(); !may) return then(fail(may.error()));
    fresh_look_.look(FreshLook::Caller::authorised,
                     [this, uid, then = std::move(then)](const std::optional<Error>& outdated) {
                         if (stopping_) return then(fail(*outdated));
                         if (outdated)
                             log_.write(LogLevel::warning, "apply: from an older scan: " + outdated->text());
                         then(apply_now(uid));
                     });
}

Result<> Service::may_apply() const {
    if (model_.observe_forced) {
        return fail({.code = ErrorCode::invalid_policy,
                     .object = {},
                     .operation = "apply",
                     .errnum = 0,
                     .reason = "the configuration has errors, the daemon only watches",
                     .advice = "mend it and reload"});
    }
    if (model_.observing()) return fail(only_watching("policy", "apply"));
    return {};
}

Result<std::vector<std::uint32_t>> Service::apply_now(std::uint32_t uid) {
    if (const auto may = may_apply(); !may) return fail(may.error());
    reconciler_.forget_failures();
    tuner_.forget();
    provisioner_.forget_failures();
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

void Service::record(const bus::RecordOptions& options, Then<std::string> then) {
    if (options.since_usec) return recorder_.incident(options, std::move(then));
    fresh_look_.look_before_refusing<std::string>(
        FreshLook::Caller::anyone,
        [this, anonymise = options.anonymise](bool) -> Result<std::string> {
            if (model_.scan_error) return fail(*model_.scan_error);  // what is known is older, or nothing
            return emulator::record(model_.topology, options_.recorded_by, anonymise);
        },
        std::move(then));
}

void Service::explain(const bus::ObjectName& object, bus::Viewer viewer, Then<bus::Explanation> then) {
    fresh_look_.look(FreshLook::Caller::anyone,
                     [this, object, viewer, then = std::move(then)](const std::optional<Error>& outdated) {
                         if (stopping_) return then(fail(*outdated));
                         auto out = explained(object, viewer);
                         if (out && outdated)
                             out->obstacles.push_back("this is from an older scan: " + outdated->text());
                         if (!out && outdated) out = fail(FreshLook::as_of_last_scan(out.error(), *outdated));
                         then(std::move(out));
                     });
}

Result<bus::Explanation> Service::explained(const bus::ObjectName& object, bus::Viewer viewer) const {
    auto out = object.noun == bus::Noun::dax ? explain_dax(object.name, viewer) : explain_hardware(object);
    if (out && viewer != bus::Viewer::root) close_addresses(*out);
    return out;
}

Result<bus::Explanation> Service::explain_hardware(const bus::ObjectName& object) const {
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

Result<bus::Explanation> Service::explain_dax(const std::string& dax, bus::Viewer viewer) const {
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

}  // namespace cxlmemd
