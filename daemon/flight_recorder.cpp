// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/flight_recorder.h"

#include <memory>
#include <system_error>
#include <utility>

#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/write.h"
#include "daemon/call_record.h"
#include "daemon/facts_builder.h"
#include "daemon/incident.h"
#include "policy/decide.h"

namespace cxlmemd {

namespace {

// A machine that is older is written anew before the next event, so that a replay begins shortly before what
// one wants to see.
constexpr std::uint64_t old_machine_usec = 600'000'000;

std::string holds_json(const Holds& holds) {
    JsonList out;
    for (const std::string& device : holds.devices) out.raw(json_string(device));
    for (const auto& [card, state] : holds.cards)
        out.raw(json_string(to_string(card) + ", " + std::string{words_of(state)}));
    return out.take();
}

}  // namespace

FlightRecorder::FlightRecorder(EventLoop& loop, KernelAnswers& answers, const Model& model, const Log& log,
                               Place place)
    : loop_(loop), answers_(answers), model_(model), log_(log), place_(std::move(place)) {}

JsonObject FlightRecorder::line(const char* what) {
    JsonObject out;
    out.number("t", realtime_usec()).number("m", monotonic_usec()).text("what", what);
    return out;
}

void FlightRecorder::put(const JsonObject& json) {
    if (ring_) ring_->append(json.take());
}

void FlightRecorder::begin(const ConfigText& text) {
    try {
        ring_.emplace(loop_, place_.state_dir, [this](const Error& error) {
            if (std::exchange(failure_said_, true)) return;
            log_.write(LogLevel::error, "the flight recorder stops: " + error.text());
        });
    } catch (const std::system_error& error) {
        // Memory is what the daemon is for; it goes on without.
        log_.write(LogLevel::error, std::string{"there is no flight recorder: "} + error.what());
        return;
    }
    answers_.switch_on();
    if (ring_->full()) ring_->begin_new_file();
    put(line("start")
            .text("version", place_.by.version)
            .text("boot", place_.boot_id)
            .truth("observe", model_.observing()));
    policy_text_ = text;
    put_policy(text);
    put_machine(model_.topology);
    ring_->flush();
}

void FlightRecorder::end() {
    if (!ring_) return;
    put_answers();
    for (const Happening& happening : happenings_.take_waiting()) put(happening);
    put(line("stop"));
    ring_->flush();
}

void FlightRecorder::policy(const ConfigText& text) {
    policy_text_ = text;
    if (!ring_) return;
    make_room();
    put_policy(text);
}

void FlightRecorder::put_policy(const ConfigText& text) {
    JsonList files;
    const auto add = [&](const SourceFile& file) {
        files.raw(JsonObject{}
                      .text("name", file.name)
                      .truth("closed", model_.closed_files.contains(file.name))
                      .text("text", file.text)
                      .take());
    };
    for (const SourceFile& file : text.policy) add(file);
    if (text.settings) add(*text.settings);
    put(line("policy").number("generation", model_.policy_generation).raw("files", files.take()));
}

void FlightRecorder::put_machine(const Topology& topology) {
    machine_usec_ = monotonic_usec();
    JsonObject head = line("machine");
    head.number("jobs", unfinished_jobs_).raw("holds", holds_json(model_.holds));
    // Switching the machine on to look at it takes a tenth of a second for a large one: on the ring's thread.
    ring_->append_later([head, copy = std::make_shared<const Topology>(topology)]() mutable {
        const emulator::RecordedMachine machine = emulator::recorded_machine(*copy);
        JsonList differences;
        for (const std::string& difference : machine.differences) differences.raw(json_string(difference));
        return head.raw("differences", differences.take())
            .text("text", emulator::write_machine(machine.description))
            .take();
    });
    put_standing();
}

// The decisions that hold when a machine is written: who begins there has to know them.
void FlightRecorder::put_standing() {
    for (const Decision& decision : model_.decisions) put_decision(decision, true);
}

void FlightRecorder::make_room() {
    const std::uint64_t lost = ring_->take_lost();
    if (ring_->full() || ring_->wants_new_beginning()) {
        ring_->begin_new_file();
        put_policy(policy_text_);
        put_machine(model_.topology);
    } else if (unfinished_jobs_ == 0 && monotonic_usec() - machine_usec_ > old_machine_usec) {
        put_machine(model_.topology);
    }
    if (lost != 0) put(line("lost").number("lines", lost));
}

void FlightRecorder::put_answers() {
    KernelAnswers::Fetched fetched = answers_.fetch();
    if (fetched.lost != 0) put(line("lost").number("answers", fetched.lost));
    for (const KernelAnswer& answer : fetched.answers) {
        happenings_.wrote(answer);
        JsonObject json;
        json.number("t", realtime_usec()).number("m", answer.began_usec).text("what", "answer");
        json.text("operation", answer.operation).text("object", answer.object).text("value", answer.value);
        if (answer.block)
            json.number("block", answer.block->value())
                .number("blocks", answer.blocks)
                .truth("down", answer.downwards);
        json.number("usec", answer.ended_usec - answer.began_usec);
        if (answer.error) json.number("errno", answer.error->errnum).text("error", answer.error->text());
        put(json);
    }
}

void FlightRecorder::put(const Happening& happening) {
    JsonObject json;
    json.number("t", realtime_usec()).number("m", happening.usec);
    if (happening.event.empty()) {
        json.text("what", "comment").text("text", happening.comment);
    } else {
        JsonObject details;
        for (const auto& [key, value] : happening.texts) details.text(key, value);
        for (const auto& [key, value] : happening.numbers) details.number(key, value);
        json.text("what", "event").text("event", happening.event).raw("details", details.take());
    }
    put(json);
}

void FlightRecorder::machine_changes(const Topology& next) {
    if (!ring_) return;
    put_answers();
    const std::vector<Happening> seen = happenings_.compare(model_.topology, next, monotonic_usec());
    if (seen.empty()) return;
    make_room();
    for (const Happening& happening : seen) put(happening);
}

void FlightRecorder::blocks_change(const std::vector<Block>& found) {
    if (!ring_) return;
    put_answers();
    const std::vector<Happening> seen = happenings_.compare_blocks(model_.topology, found, monotonic_usec());
    if (seen.empty()) return;
    make_room();
    for (const Happening& happening : seen) put(happening);
}

void FlightRecorder::put_decision(const Decision& decision, bool standing) {
    const bus::PlanEntry entry = build_decision(model_.topology, decision);
    JsonObject json = line(standing ? "standing" : "decision");
    json.text("device", decision.device.name).text("verdict", to_string(decision.verdict));
    json.text("action", entry.action).text("rule", decision.rule).text("reason", decision.reason);
    put(json);
}

void FlightRecorder::decided(const Decision& decision) {
    if (!ring_) return;
    put_answers();
    put_decision(decision, false);
}

void FlightRecorder::job_added(const Job& job) {
    ++unfinished_jobs_;
    if (!ring_) return;
    put(line("job")
            .number("id", job.id)
            .text("operation", job.order.operation)
            .text("object", name_of(job.order.target))
            .truth("policy", job.order.by_policy)
            .number("uid", job.order.started_by));
}

void FlightRecorder::job_ended(const Job& job) {
    if (unfinished_jobs_ != 0) --unfinished_jobs_;
    if (!ring_) return;
    put_answers();
    JsonObject json = line("job-end");
    json.number("id", job.id)
        .text("object", name_of(job.order.target))
        .text("operation", job.order.operation);
    json.text("result", to_string(job.result));
    if (job.error) json.text("error", job.error->text());
    put(json);
}

void FlightRecorder::called(const CallerAsk& ask, std::uint32_t uid) {
    if (!ring_) return;
    make_room();
    JsonObject details;
    details.text("method", ask.method);
    if (!ask.object.empty()) details.text("object", ask.object);
    if (!ask.zone.empty()) details.text("zone", ask.zone);
    if (!ask.mode.empty()) details.text("mode", ask.mode);
    if (ask.amount) details.number("amount", *ask.amount);
    if (ask.timeout_usec) details.number("timeout", *ask.timeout_usec);
    if (ask.rollback) details.text("rollback", *ask.rollback ? "true" : "false");
    if (!ask.hold) details.text("hold", "false");
    put(line("event").text("event", "ask").number("uid", uid).raw("details", details.take()));
}

void FlightRecorder::incident(const bus::RecordOptions& options,
                              std::function<void(Result<std::string>)> then) {
    if (!ring_) {
        return then(fail({.code = ErrorCode::not_supported,
                          .operation = "record",
                          .reason = "this daemon keeps no flight recorder",
                          .advice = {}}));
    }
    put_answers();
    ring_->read(
        [options, by = place_.by](const FlightLines& lines) {
            return incident_of(lines, {.since_usec = *options.since_usec,
                                       .anonymise = options.anonymise,
                                       .for_root = options.viewer == bus::Viewer::root,
                                       .by = by});
        },
        std::move(then));
}

}  // namespace cxlmemd
