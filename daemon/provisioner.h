// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes the regions that [[region]] tables ask for, one at a time. Loop thread.
//
// A creation that failed or was killed is taken back before anything else is made: what it took is in the
// journal until the region is complete or nothing of it is left.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/region_draft.h"
#include "daemon/attempts.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/model.h"
#include "daemon/region_journal.h"
#include "daemon/worker.h"
#include "policy/region_wishes.h"

namespace cxlmemd {

class Provisioner final {
 public:
    struct Hooks {
        // Scans the machine; `then` runs when that is over, in vain if Model::scan_error says so.
        std::function<void(std::function<void()> then)> rescan;
        std::function<void()> again;  // a pause is over, or something is to be shown
    };

    Provisioner(Clock& clock, Worker& worker, Model& model, const Log& log, std::filesystem::path folder,
                Hooks hooks);

    // From the model as it is now. Makes nothing while the daemon only watches. Sets
    // Model::region_conflicts.
    void act();

    // Apply: what failed is tried at once.
    void forget_failures();
    // Reload: also what an administrator removed is made again.
    void forget();

    // Nothing new is begun. What is under way is taken back, here or by the next daemon.
    void shut_down() { stopping_ = true; }

    [[nodiscard]] bool busy() const { return busy_; }

 private:
    // How a table's region fared. Tried anew when the machine or the table has changed.
    struct Note {
        RegionSetup setup;
        std::vector<Region> regions;  // that were there when it was tried
        Attempts attempts;
        std::optional<Error> error;

        // The cards that the region stood on when it was last seen as it should be.
        std::vector<RegionSetup::Member> stood_on;

        RegionVerdict told_verdict = RegionVerdict::there;
        std::string told;  // the last reason that is in the log
    };

    // True if the region has gone while its cards stayed: somebody removed it, and policy does not fight.
    bool was_removed(const RegionDecision& decision, Note& note);
    void forget_regions_of_pulled_cards();
    void tell(const RegionDecision& decision, Note& note);
    [[nodiscard]] bool may_try(const RegionDecision& decision, Note& note) const;
    void make(const RegionDecision& decision);
    void drafted(const RegionDecision& decision, const Result<RegionDraft>& draft);
    void made(const RegionDecision& decision, const RegionDraft& draft, const Result<>& result);
    void failed(const RegionDecision& decision, const Error& error);
    // Takes back what the journal says is half made.
    void recover();
    void recovered(const RegionTrace& trace, const Result<>& result);
    // Regions have come or gone: nothing is begun before a scan shows it.
    void look_first();
    void show(const std::vector<RegionDecision>& decisions);

    Clock& clock_;
    Worker& worker_;
    Model& model_;
    const Log& log_;
    Hooks hooks_;
    RegionJournal journal_;
    std::map<std::string, Note> notes_;  // by the table's name
    // What each of Model::removed_regions stood on. When one of these cards goes it was the card that was
    // taken away, not the region: which of the two a scan sees first is chance.
    std::map<std::vector<CardKey>, std::vector<RegionSetup::Member>> removed_from_;
    bool clean_ = false;          // nothing is half made
    bool after_refusal_ = false;  // what may be half made is of a try that the kernel has just refused
    bool busy_ = false;           // something is on the worker
    bool stale_ = false;          // the topology is from before the last change
    bool stopping_ = false;
    Attempts recoveries_;
    std::optional<Error> recovery_error_;
};

}  // namespace cxlmemd
