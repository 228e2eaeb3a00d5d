// SPDX-License-Identifier: LGPL-2.1-or-later
// From topology and policy to jobs: decides for every device, and starts what policy asks for. Loop
// thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/clock.h"
#include "daemon/drift_book.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/model.h"

namespace cxlmemd {

class Reconciler final {
 public:
    // `announce`: a decision changed. `again`: a retry pause is over.
    struct Hooks {
        std::function<void(const Decision&)> announce;
        std::function<void()> again;
        // What somebody else changed is put right, or reported.
        std::function<void(bool enforced)> drifted = [](bool) {};
    };

    Reconciler(Clock& clock, Model& model, Jobs& jobs, DriftBook& drifts, const Log& log, Hooks hooks);

    // Decisions anew from the model; jobs for those that policy may act on now.
    void decide_and_act();

    // The same for devices of which nothing but blocks has changed, by their places in the topology; each
    // must stand alone (policy/decide.h).
    void decide_and_act(const std::vector<std::size_t>& devices);

    // A job has ended: remembers its error, plans a new try. Returns nothing to do at once.
    void job_ended(const Job& job);

    // Apply, Reload, Release: what failed is tried at once, and drift is no excuse any more.
    void forget_failures();
    void forget_failures(const std::string& dax);

 private:
    void look_at(const Decision& decision);
    void job_ended(const Job& job, DeviceNote& note, const DaxDevice& device);
    // True while kmem is still adding the device's blocks.
    bool is_arriving(DeviceNote& note, const DaxDevice& device);
    // Ends the trouble whose cause is over.
    void end_trouble(DeviceNote& note, const Decision& decision, const DaxDevice& device);
    void say_drift(DeviceNote& note, const Decision& decision, const DaxDevice& device, Error error);
    void forget_drift(const DaxDevice& device);
    void forget_drift_of_new_memory(DeviceNote& note, const DaxDevice& device);
    // Before the daemon was started.
    [[nodiscard]] bool was_reported(const DeviceNote& note, const Decision& decision,
                                    const DaxDevice& device) const;
    // What calls back later must find the same device.
    [[nodiscard]] std::function<void()> again_for(const DaxIdentity& device) const;
    void act(DeviceNote& note, const Decision& decision);
    void announce(DeviceNote& note, const Decision& decision);
    [[nodiscard]] bool is_drift(DeviceNote& note, const Decision& decision, const DaxDevice& device) const;
    // True if drift is to be enforced now.
    bool answer_drift(DeviceNote& note, const Decision& decision, const DaxDevice& device);
    [[nodiscard]] bool has_no_room(const Decision& decision) const;
    void give_up(DeviceNote& note);
    void settle(DeviceNote& note, const Decision& decision, const DaxDevice& device);
    DeviceNote& note_for(const DaxIdentity& device);

    Clock& clock_;
    Model& model_;
    Jobs& jobs_;
    DriftBook& drifts_;
    bool looked_once_ = false;  // at the whole machine
    const Log& log_;
    Hooks hooks_;
};

}  // namespace cxlmemd
