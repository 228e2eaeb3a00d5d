// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/tuner.h"

#include <algorithm>

namespace cxlmemd {

namespace {

// Undone so often by somebody else, policy stops writing.
constexpr std::uint32_t most_undone = 2;
// What has stood so long was no fight.
constexpr std::uint64_t peace_usec = 600'000'000;

std::string value_of(const TuningWish& wish) {
    if (wish.tunable == Tunable::interleave_weight) return std::to_string(wish.value);
    return wish.value != 0 ? "on" : "off";
}

Result<> carry_out(Backend& backend, const TuningWish& wish) {
    switch (wish.tunable) {
        case Tunable::interleave_weight: return backend.set_interleave_weight(wish.node, wish.value);
        case Tunable::interleave_auto: return backend.set_interleave_auto(wish.value != 0);
        case Tunable::demotion: return backend.set_demotion(wish.value != 0);
    }
    return {};
}

}  // namespace

Tuner::Tuner(Clock& clock, Worker& worker, Model& model, const Log& log, Hooks hooks)
    : clock_(clock), worker_(worker), model_(model), log_(log), hooks_(std::move(hooks)) {}

void Tuner::act() {
    const TuningPlan plan = plan_tuning(model_.topology, model_.policy, model_.settings.demotion);
    // What is remembered of a node ends with it, and with the wish.
    std::erase_if(notes_, [&](const auto& entry) {
        return std::ranges::none_of(plan.wishes, [&](const TuningWish& wish) {
            return Key{wish.tunable, wish.node} == entry.first;
        });
    });
    for (const TuningWish& wish : plan.wishes) look_at(wish);
    show(plan);
}

void Tuner::look_at(const TuningWish& wish) {
    Note& note = notes_.try_emplace({wish.tunable, wish.node}).first->second;
    if (note.writing) return;
    if (note.value != wish.value) {
        // Made at its place: what waits in it stays there.
        notes_.erase({wish.tunable, wish.node});
        notes_[{wish.tunable, wish.node}].value = wish.value;
        return look_at(wish);
    }
    if (wish.holds) {
        // A conflict stays said until it is forgotten: it reads right because the other one wrote it so.
        if (!note.holds_since_usec) note.holds_since_usec = clock_.now_usec();
        if (note.attempts.given_up()) return;
        note.error.reset();
        note.attempts.reset();
        return;
    }
    if (model_.observing() || !note.attempts.ready()) return;
    if (note.written && !may_repeat(wish, note)) return;
    write(wish, note);
}

bool Tuner::may_repeat(const TuningWish& wish, Note& note) {
    note.written = false;
    const auto held_since = std::exchange(note.holds_since_usec, std::nullopt);
    if (held_since && clock_.now_usec() - *held_since >= peace_usec) note.undone = 0;
    if (++note.undone < most_undone) {
        log_.write(message::setting_written, LogLevel::notice,
                   describe(wish) + ": changed by somebody else, put right again: " + value_of(wish));
        return true;
    }
    note.attempts.give_up();
    note.error = Error{.code = ErrorCode::conflict,
                       .object = describe(wish),
                       .operation = "set " + value_of(wish),
                       .errnum = 0,
                       .reason = "somebody else changed it back " + std::to_string(note.undone) +
                                 " times, and policy stops fighting",
                       .advice = "find who changes it, then reload"};
    log_.write(message::setting_not_written, LogLevel::warning, note.error->text());
    return false;
}

void Tuner::write(const TuningWish& wish, Note& note) {
    note.writing = true;
    worker_.submit([this, wish](Backend& backend) -> Worker::Completion {
        auto result = carry_out(backend, wish);
        return [this, wish, result = std::move(result)] { done(wish, result); };
    });
}

void Tuner::done(const TuningWish& wish, const Result<>& result) {
    const auto found = notes_.find({wish.tunable, wish.node});
    if (found == notes_.end()) return;  // its node has gone meanwhile
    Note& note = found->second;
    if (!result) {
        note.writing = false;
        failed(note, result.error());
        return hooks_.again();
    }
    note.written = true;
    note.holds_since_usec.reset();
    note.attempts.reset();
    note.error.reset();
    log_.write(message::setting_written, LogLevel::info,
               describe(wish) + ": " + value_of(wish) + ", " + wish.reason);
    // What an older scan shows must not be taken for somebody else's doing.
    hooks_.rescan([this, key = Key{wish.tunable, wish.node}] {
        const auto seen = notes_.find(key);
        if (seen == notes_.end()) return;
        seen->second.writing = false;
        hooks_.again();
    });
}

void Tuner::failed(Note& note, const Error& error) {
    if (note.error != error) log_.write(message::setting_not_written, LogLevel::warning, error.text());
    note.error = error;
    if (error.code == ErrorCode::not_supported) return note.attempts.give_up();
    note.attempts.failed(clock_, model_.settings.retry, [this] { hooks_.again(); });
}

void Tuner::show(const TuningPlan& plan) {
    std::set<std::string> seen;
    model_.tuning_conflicts.clear();
    for (const std::string& obstacle : plan.obstacles) {
        if (!seen.insert(obstacle).second) continue;
        model_.tuning_conflicts.push_back({"tuning", obstacle});
        if (!told_.contains(obstacle)) log_.write(message::setting_not_written, LogLevel::notice, obstacle);
    }
    told_ = std::move(seen);
    for (const auto& [key, note] : notes_) {
        if (note.error) model_.tuning_conflicts.push_back({"tuning", note.error->text()});
    }
}

void Tuner::forget() {
    std::erase_if(notes_, [](const auto& entry) { return !entry.second.writing; });
    for (auto& [key, note] : notes_) {
        note.undone = 0;
        note.attempts.reset();
    }
}

bool Tuner::busy() const {
    return std::ranges::any_of(notes_, [](const auto& entry) { return entry.second.writing; });
}

}  // namespace cxlmemd
