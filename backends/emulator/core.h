// SPDX-License-Identifier: LGPL-2.1-or-later
// The emulated machine with everything that is to happen to it: what both halves of the backend and Inject
// share.
//
// The mutex protects the machine, the faults, the agenda and the events' way to the queue. It is never held
// while an operation hangs or takes its time. What is due happens in whatever thread comes by: at the
// beginning and the end of each operation, and when the loop thread is woken by the clock.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backends/emulator/agenda.h"
#include "backends/emulator/clock.h"
#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/event_path.h"
#include "backends/emulator/event_queue.h"
#include "backends/emulator/faults.h"
#include "backends/emulator/hang.h"
#include "backends/emulator/hotplug_lock.h"
#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

class Core final : public EmulatorControl {
 public:
    using Check = std::function<Result<>(const Machine&)>;

    Core(MachineDescription description, std::unique_ptr<Clock> clock);

    // --- For the worker thread. ---
    // An operation begins: whether it may, what was ordered to happen before it, faults. If it fails, it
    // has ended. `entered` is called without the lock, if it gets as far as the faults; an errno ends it
    // there.
    [[nodiscard]] Result<> begin(const Call& call, const std::string& object, const Check& may,
                                 const std::function<int()>& entered = {});
    void end(const Call& call);
    // Until no other actor holds the hotplug lock: 0, or EINTR after a signal, unless deaf.
    [[nodiscard]] int wait_for_hotplug(bool deaf);
    // Lets so much time pass for it; EINTR after a signal, unless deaf.
    [[nodiscard]] int pass(std::uint64_t usec, bool deaf) { return usec == 0 ? 0 : clock_->wait(usec, deaf); }
    template <class Look>
    [[nodiscard]] auto look(Look look) {
        const std::lock_guard lock(mutex_);
        settle();
        return look(std::as_const(machine_));
    }
    // A file that was opened before the device went away writes to nobody: looks again whether it may.
    template <class Act>
    [[nodiscard]] auto act(const Check& may, Act act) -> decltype(act(std::declval<Machine&>())) {
        const std::lock_guard lock(mutex_);
        settle();
        if (auto allowed = may(machine_); !allowed) return fail(allowed.error());
        return act(machine_);
    }
    template <class Change>
    void change(Change change_it) {
        const std::lock_guard lock(mutex_);
        change_it(machine_);
    }
    // All of it.
    template <class Act>
    [[nodiscard]] auto run(const Call& call, const std::string& object, const Check& may, Act act_now)
        -> decltype(act_now(std::declval<Machine&>())) {
        if (auto begun = begin(call, object, may); !begun) return fail(begun.error());
        auto done = act(may, act_now);
        end(call);
        return done;
    }

    // --- For the loop thread. ---
    [[nodiscard]] EventQueue& queue() { return queue_; }
    [[nodiscard]] int clock_fd() const { return clock_->fd(); }
    // What is due happens, and is reported.
    void attend();
    [[nodiscard]] bool has_reports() const { return has_reports_; }

    // --- For tests, which want to know what the kernel told, not only that somebody should look. ---
    // Called under the lock, before faults of events: must not call back. Not while another thread is inside.
    void on_uevent(UeventSink sink) { uevents_ = std::move(sink); }

    // --- EmulatorControl ---
    [[nodiscard]] Result<> inject(const std::string& event, const InjectDetails& details) override;
    void start_scenario() override;
    void on_report(std::function<void(const ScenarioReport&)> report) override;
    void on_ask(std::function<void(const CallerAsk&)> ask) override;

 private:
    void told(const Uevent& uevent);
    void logged(const std::string& line);
    // Under the lock.
    [[nodiscard]] InjectTarget target(std::optional<BlockIndex> block);
    void settle();
    void follow(const Agenda::Due& due);
    // The first thing that the machine itself has put off until then; false if there is none.
    [[nodiscard]] bool do_postponed(std::uint64_t until);
    void set_alarm();
    void tell_of_asks();
    [[nodiscard]] std::optional<std::uint64_t> next_due() const;
    void note(const Agenda::Due& due, const Result<>& outcome);

    EventQueue queue_;
    const std::unique_ptr<Clock> clock_;
    Hang hang_;
    HotplugLock hotplug_lock_;  // held as the machine says
    std::atomic<bool> has_reports_ = false;

    std::mutex mutex_;  // guards everything below
    EventPath path_;
    FaultList faults_;
    Agenda agenda_;
    bool switched_on_ = false;
    unsigned chain_ = 0;  // of the order that is being followed
    std::optional<std::uint64_t> alarm_;
    std::vector<ScenarioReport> reports_;
    std::vector<CallerAsk> asks_;
    std::set<std::pair<std::shared_ptr<const Order>, bool>> reported_;
    UeventSink uevents_;
    std::multimap<std::uint64_t, std::function<void(Machine&)>> postponed_;  // by when it happens
    Machine machine_;

    std::function<void(const ScenarioReport&)> report_;  // loop thread only
    std::function<void(const CallerAsk&)> ask_;          // likewise
};

}  // namespace cxlmemd::emulator
