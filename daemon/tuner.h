// SPDX-License-Identifier: LGPL-2.1-or-later
// Carries out plan_tuning(): writes the kernel's settings that are not as they should be, and stops when
// somebody else keeps writing them too. Level-triggered: what a scan shows decides. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/model.h"
#include "daemon/worker.h"
#include "policy/tuning.h"

namespace cxlmemd {

class Tuner final {
 public:
    struct Hooks {
        // Scans the machine; `then` runs when a topology from after this call is in force, however long scans
        // fail until then.
        std::function<void(std::function<void()> then)> rescan;
        std::function<void()> again;  // a pause is over, or something is to be shown
    };

    Tuner(Clock& clock, Worker& worker, Model& model, const Log& log, Hooks hooks);

    // From the model as it is now. Writes nothing while the daemon only watches. Sets
    // Model::tuning_conflicts.
    void act();

    // Reload, Apply: what failed or was fought over is tried anew.
    void forget();

    [[nodiscard]] bool busy() const;

 private:
    using Key = std::pair<Tunable, NodeId>;
    struct Note {
        std::uint32_t value = 0;   // that this is about
        bool writing = false;      // until a scan from after the write is in force
        bool written = false;      // by us; what reads otherwise now is somebody else's doing
        std::uint32_t undone = 0;  // by somebody else, so often in a row
        std::optional<std::uint64_t> holds_since_usec;  // what was written has been seen to stand
        Attempts attempts;  // given up: until forget(), or another value is wanted
        std::optional<Error> error;
    };

    void look_at(const TuningWish& wish);
    // True if a write that somebody undid may be repeated.
    bool may_repeat(const TuningWish& wish, Note& note);
    void write(const TuningWish& wish, Note& note);
    void done(const TuningWish& wish, const Result<>& result);
    void failed(Note& note, const Error& error);
    void show(const TuningPlan& plan);

    Clock& clock_;
    Worker& worker_;
    Model& model_;
    const Log& log_;
    Hooks hooks_;
    std::map<Key, Note> notes_;
    std::set<std::string> told_;  // obstacles that are in the log
};

}  // namespace cxlmemd
