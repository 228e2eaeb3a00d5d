// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/provisioner.h"

#include <algorithm>
#include <utility>

namespace cxlmemd {

namespace {

std::string label(const RegionDecision& decision) {
    return "region '" + decision.name + "' (" + decision.place.file + ":" +
           std::to_string(decision.place.line) + ")";
}

Log::Fields fields_of(const RegionDecision& decision) {
    return {{"CXLMEMD_RULE", decision.name}};
}

RegionOrder order_of(const RegionSetup& setup) {
    RegionOrder out{.type = setup.type,
                    .root_decoder = setup.root_decoder,
                    .members = {},
                    .interleave_granularity = setup.interleave_granularity,
                    .size = setup.size};
    for (const auto& member : setup.members) out.members.push_back({member.memdev, member.generation});
    return out;
}

}  // namespace

Provisioner::Provisioner(Clock& clock, Worker& worker, Model& model, const Log& log,
                         std::filesystem::path folder, Hooks hooks)
    : clock_(clock),
      worker_(worker),
      model_(model),
      log_(log),
      hooks_(std::move(hooks)),
      journal_(std::move(folder)) {}

void Provisioner::forget_regions_of_pulled_cards() {
    std::erase_if(removed_from_, [&](const auto& entry) {
        const bool all_there = std::ranges::all_of(entry.second, [&](const RegionSetup::Member& member) {
            const Memdev* memdev = find_memdev(model_.topology, member.memdev);
            return memdev != nullptr && memdev->generation == member.generation;
        });
        if (!all_there) model_.removed_regions.erase(entry.first);
        return !all_there;
    });
}

void Provisioner::act() {
    forget_regions_of_pulled_cards();
    std::vector<RegionDecision> decisions =
        decide_regions(model_.topology, model_.policy, model_.removed_regions);
    bool removed = false;
    for (const RegionDecision& decision : decisions) {
        if (was_removed(decision, notes_[decision.name])) removed = true;
    }
    if (removed) decisions = decide_regions(model_.topology, model_.policy, model_.removed_regions);
    keep_off_cards(decisions, model_.topology, model_.holds.cards);
    std::erase_if(notes_, [&](const auto& entry) {
        return std::ranges::find(decisions, entry.first, &RegionDecision::name) == decisions.end();
    });
    for (const RegionDecision& decision : decisions) tell(decision, notes_[decision.name]);

    if (!model_.scan_error) stale_ = false;
    if (!busy_ && !stale_ && !stopping_ && !model_.observing()) {
        if (!clean_) recover();
        if (clean_) {
            const auto next = std::ranges::find_if(decisions, [&](const RegionDecision& decision) {
                return decision.verdict == RegionVerdict::create &&
                       may_try(decision, notes_.at(decision.name));
            });
            if (next != decisions.end()) make(*next);
        }
    }
    show(decisions);
}

bool Provisioner::was_removed(const RegionDecision& decision, Note& note) {
    std::vector<CardKey> cards;
    if (!clean_) return false;  // what is there may be half made, and it is us who take it away
    if (decision.verdict == RegionVerdict::there) {
        const Region* region = find_region(model_.topology, decision.region);
        note.stood_on.clear();
        for (const std::string& name : region->memdevs) {
            if (const Memdev* memdev = find_memdev(model_.topology, name); memdev != nullptr)
                note.stood_on.push_back({memdev->name, memdev->generation});
        }
        return false;
    }
    // A card that was pulled and came back is another incarnation: its region is made again.
    if (decision.verdict != RegionVerdict::create || note.stood_on != decision.setup->members) return false;
    for (const auto& member : note.stood_on) {
        if (const Memdev* memdev = find_memdev(model_.topology, member.memdev); memdev != nullptr)
            cards.push_back(card_of(*memdev));
    }
    std::ranges::sort(cards);
    removed_from_[cards] = std::move(note.stood_on);
    note.stood_on.clear();
    model_.removed_regions.insert(std::move(cards));
    return true;
}

void Provisioner::tell(const RegionDecision& decision, Note& note) {
    if (decision.verdict != RegionVerdict::create) {
        note.error.reset();
        note.attempts.reset();
    }
    if (note.told == decision.reason) return;
    const bool worth_a_line = note.told.empty() || note.told_verdict != decision.verdict;
    note.told = decision.reason;
    note.told_verdict = decision.verdict;
    if (!worth_a_line) return;
    const bool bad = decision.verdict != RegionVerdict::there && decision.verdict != RegionVerdict::create;
    log_.write(bad ? LogLevel::warning : LogLevel::info, label(decision) + ": " + decision.reason,
               fields_of(decision));
}

bool Provisioner::may_try(const RegionDecision& decision, Note& note) const {
    if (note.setup != *decision.setup || note.regions != model_.topology.regions) {
        note.setup = *decision.setup;
        note.regions = model_.topology.regions;
        note.attempts.reset();
    }
    return note.attempts.ready();
}

void Provisioner::make(const RegionDecision& decision) {
    busy_ = true;
    worker_.submit([this, decision](Backend& backend) -> Worker::Completion {
        auto draft = backend.draft_region(order_of(*decision.setup));
        return [this, decision, draft = std::move(draft)] { drafted(decision, draft); };
    });
}

void Provisioner::drafted(const RegionDecision& decision, const Result<RegionDraft>& draft) {
    busy_ = false;
    if (stopping_ || model_.observing()) return;
    if (!draft) return failed(decision, draft.error());
    if (auto kept = journal_.begin(draft->trace); !kept) return failed(decision, kept.error());
    busy_ = true;
    worker_.submit([this, decision, draft = *draft](Backend& backend) -> Worker::Completion {
        auto result = backend.create_region(draft);
        return [this, decision, draft, result = std::move(result)] { made(decision, draft, result); };
    });
}

void Provisioner::made(const RegionDecision& decision, const RegionDraft& draft, const Result<>& result) {
    busy_ = false;
    if (!result) {
        after_refusal_ = true;
        clean_ = false;  // the backend has undone it, most likely; that is looked at before the next try
        return failed(decision, result.error());
    }
    journal_.end();
    const auto note = notes_.find(decision.name);
    if (note != notes_.end()) note->second.error.reset();
    log_.write(message::region_made, LogLevel::notice, label(decision) + ": made as " + draft.trace.region,
               fields_of(decision));
    look_first();
}

void Provisioner::look_first() {
    busy_ = true;
    hooks_.rescan([this] {
        busy_ = false;
        stale_ = model_.scan_error.has_value();
        hooks_.again();
    });
}

void Provisioner::failed(const RegionDecision& decision, const Error& error) {
    const auto found = notes_.find(decision.name);
    if (found != notes_.end() && !stopping_) {
        Note& note = found->second;
        if (note.error != error)
            log_.write(message::region_not_made, LogLevel::warning, label(decision) + ": " + error.text(),
                       fields_of(decision));
        note.error = error;
        if (!note.attempts.failed(clock_, model_.settings.retry, [this] { hooks_.again(); })) {
            log_.write(message::region_not_made, LogLevel::warning,
                       label(decision) + ": given up after " + std::to_string(note.attempts.failures()) +
                           " attempts, until the machine or the policy changes",
                       fields_of(decision));
        }
    }
    hooks_.again();
}

void Provisioner::recover() {
    if (!recoveries_.ready()) return;
    auto trace = journal_.unfinished();
    if (!trace) {
        // Without knowing what is half made nothing may be made beside it.
        if (recovery_error_ != trace.error())
            log_.write(message::region_not_made, LogLevel::error, trace.error().text());
        recovery_error_ = trace.error();
        return;
    }
    if (!trace->has_value()) {
        clean_ = true;
        recovery_error_.reset();
        return;
    }
    busy_ = true;
    worker_.submit([this, trace = **trace](Backend& backend) -> Worker::Completion {
        auto result = backend.clear_region(trace);
        return [this, trace, result = std::move(result)] { recovered(trace, result); };
    });
}

void Provisioner::recovered(const RegionTrace& trace, const Result<>& result) {
    busy_ = false;
    if (result) {
        journal_.end();
        clean_ = true;
        recoveries_.reset();
        recovery_error_.reset();
        for (auto& [name, note] : notes_) note.stood_on.clear();
        // The failure itself was reported; only what an earlier run left behind is news.
        if (!std::exchange(after_refusal_, false))
            log_.write(LogLevel::info,
                       trace.region + ": its interrupted creation was looked at, nothing of it is half made");
        return look_first();
    }
    if (recovery_error_ != result.error())
        log_.write(message::region_not_made, LogLevel::warning, result.error().text());
    recovery_error_ = result.error();
    recoveries_.failed(clock_, model_.settings.retry, [this] { hooks_.again(); });
    hooks_.again();
}

void Provisioner::show(const std::vector<RegionDecision>& decisions) {
    model_.region_conflicts.clear();
    model_.region_failing = recovery_error_.has_value();
    for (const RegionDecision& decision : decisions) {
        const Note& note = notes_.at(decision.name);
        if (decision.verdict == RegionVerdict::blocked || decision.verdict == RegionVerdict::differs) {
            model_.region_conflicts.push_back({"region", label(decision) + ": " + decision.reason});
            if (decision.verdict == RegionVerdict::blocked && !decision.waits) model_.region_failing = true;
        } else if (note.error) {
            model_.region_conflicts.push_back({"region", label(decision) + ": " + note.error->text()});
            model_.region_failing = true;
        }
    }
    if (recovery_error_) model_.region_conflicts.push_back({"region", recovery_error_->text()});
}

void Provisioner::forget_failures() {
    for (auto& [name, note] : notes_) {
        note.error.reset();
        note.attempts.reset();
    }
    recoveries_.reset();
}

void Provisioner::forget() {
    model_.removed_regions.clear();
    removed_from_.clear();
    for (auto& [name, note] : notes_) note.stood_on.clear();
    forget_failures();
}

}  // namespace cxlmemd
