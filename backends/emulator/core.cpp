// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/core.h"

#include <algorithm>
#include <cerrno>

#include "backends/emulator/inject.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::size_t most_reports = 256;  // that wait to be taken; the rest of a flood is not told

}  // namespace

Core::Core(MachineDescription description, std::unique_ptr<Clock> clock)
    : clock_(std::move(clock)),
      path_(queue_, description.scenario.seed),
      faults_(description.scenario.seed),
      machine_(
          description, [this](const Uevent& uevent) { told(uevent); },
          [this](const std::string& line) { logged(line); },
          [this](std::uint64_t usec, std::function<void(Machine&)> what) {
              postponed_.emplace(clock_->now_usec() + usec, std::move(what));
          }) {
    switched_on_ = true;
    for (const Step& step : description.scenario.steps) {
        ReadOrder read = read_order(step.event, step.details, step.place);
        if (!read.problems.empty()) continue;  // file.h lets none such through
        static_cast<void>(agenda_.add(std::move(read.order), std::nullopt));
    }
}

// Nobody listens while the machine is switched on.
void Core::told(const Uevent& uevent) {
    if (!switched_on_) return;
    if (uevents_) uevents_(uevent);
    const bool is_occasion = !agenda_.awaits_nothing();
    if (path_.is_straight() && !is_occasion) return queue_.push(event_of(uevent));
    const std::uint64_t now = clock_->now_usec();
    path_.push(uevent, now);
    if (is_occasion) agenda_.occurred(uevent, chain_, now);
}

InjectTarget Core::target(std::optional<BlockIndex> block) {
    return {machine_, faults_, path_, queue_, hang_, asks_, block};
}

void Core::logged(const std::string& line) {
    if (!switched_on_ || reports_.size() >= most_reports) return;
    reports_.push_back({.place = {}, .event = line, .outcome = {}});
    if (!has_reports_.exchange(true)) queue_.nudge();
}

Result<> Core::begin(const Call& call, const std::string& object, const Check& may,
                     const std::function<int()>& entered) {
    std::vector<Fault> faults;
    {
        const std::lock_guard lock(mutex_);
        settle();
        if (auto allowed = may(machine_); !allowed) return allowed;
        if (!agenda_.awaits_nothing()) agenda_.occurred(call, true, clock_->now_usec());
        settle();
        faults = faults_.strike(call);
    }
    const auto ended_by = [&](int errnum) {
        end(call);
        return fail(kernel_error(object, std::string{to_string(call.narrower)}, errnum,
                                 errnum == EINTR ? "it was interrupted" : "it was made to fail"));
    };
    if (const int errnum = entered ? entered() : 0; errnum != 0) return ended_by(errnum);
    for (const Fault& fault : faults) {
        int errnum = fault.errnum;
        if (fault.kind == Fault::Kind::hang) errnum = hang_.wait_until_let_go(fault.deaf);
        if (fault.kind == Fault::Kind::delay) errnum = clock_->wait(fault.usec, false);
        if (errnum != 0) return ended_by(errnum);
    }
    return {};
}

void Core::end(const Call& call) {
    const std::lock_guard lock(mutex_);
    if (!agenda_.awaits_nothing()) agenda_.occurred(call, false, clock_->now_usec());
    settle();
}

int Core::wait_for_hotplug(bool deaf) {
    while (true) {
        {
            const std::lock_guard lock(mutex_);
            settle();
            if (!machine_.hotplug_is_held()) return 0;
        }
        if (const int errnum = hotplug_lock_.wait(deaf); errnum != 0) return errnum;
    }
}

std::optional<std::uint64_t> Core::next_due() const {
    std::optional<std::uint64_t> first;
    const auto consider = [&](std::optional<std::uint64_t> due) {
        if (due) first = std::min(*due, first.value_or(*due));
    };
    consider(agenda_.next_due());
    consider(path_.next_due());
    if (!postponed_.empty()) consider(postponed_.begin()->first);
    return first;
}

bool Core::do_postponed(std::uint64_t until) {
    if (postponed_.empty() || postponed_.begin()->first > until) return false;
    const auto first = postponed_.extract(postponed_.begin());
    first.mapped()(machine_);
    return true;
}

void Core::settle() {
    if (next_due()) {
        const std::uint64_t now = clock_->now_usec();
        path_.release(now);
        while (true) {  // steps and what was put off, in the order in which they are due
            while (do_postponed(std::min(now, agenda_.next_due().value_or(now)))) {
            }
            const auto due = agenda_.take_due(now);
            if (!due) break;
            follow(*due);
        }
    }
    hotplug_lock_.set_held(machine_.hotplug_is_held());
    tell_of_asks();
    set_alarm();
}

void Core::follow(const Agenda::Due& due) {
    InjectTarget with = target(due.block);
    chain_ = due.chain;
    const Result<> outcome = due.order->act(with);
    chain_ = 0;
    note(due, outcome);
}

void Core::tell_of_asks() {
    if (!asks_.empty() && !has_reports_.exchange(true)) queue_.nudge();
}

void Core::set_alarm() {
    const std::optional<std::uint64_t> next = next_due();
    if (next == alarm_) return;
    alarm_ = next;
    clock_->wake_at(next);
}

// An order that is followed again and again is told of once, and once when it fails.
void Core::note(const Agenda::Due& due, const Result<>& outcome) {
    const bool once = !due.order->on || due.order->on->times == 1;
    if (!once && !reported_.emplace(due.order, outcome.has_value()).second) return;
    if (reports_.size() >= most_reports) return;
    reports_.push_back({due.order->place, due.order->event, outcome});
    if (!has_reports_.exchange(true)) queue_.nudge();
}

void Core::attend() {
    std::vector<ScenarioReport> reports;
    std::vector<CallerAsk> asks;
    {
        const std::lock_guard lock(mutex_);
        settle();
        has_reports_ = false;
        reports.swap(reports_);
        asks.swap(asks_);
    }
    // Outside the lock: whoever is asked may look at the machine.
    if (ask_) {
        for (const CallerAsk& one : asks) ask_(one);
    }
    if (!report_) return;
    for (const ScenarioReport& one : reports) report_(one);
}

Result<> Core::inject(const std::string& event, const InjectDetails& details) {
    ReadOrder read = read_order(event, details, "Inject");
    if (!read.problems.empty()) return fail(order_error(event, read.problems.front()));
    const std::lock_guard lock(mutex_);
    settle();
    Result<> done;
    if (read.order.is_for_now()) {
        InjectTarget with = target(std::nullopt);
        done = read.order.act(with);
    } else if (!agenda_.add(std::move(read.order), clock_->now_usec())) {
        done = fail(detail_error(event, details.contains("at") ? "at" : "on", "would be one order too many"));
    }
    settle();
    return done;
}

void Core::start_scenario() {
    const std::lock_guard lock(mutex_);
    agenda_.start(clock_->now_usec());
    settle();
}

void Core::on_ask(std::function<void(const CallerAsk&)> ask) {
    ask_ = std::move(ask);
}

void Core::on_report(std::function<void(const ScenarioReport&)> report) {
    report_ = std::move(report);
}

}  // namespace cxlmemd::emulator
