// SPDX-License-Identifier: LGPL-2.1-or-later
// Everything the loop thread knows: what the machine is like, what is wanted, and what it has learnt
// about each device. Plain data; Service owns one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/arrival.h"
#include "daemon/attempts.h"
#include "daemon/closed_text.h"
#include "policy/block_owners.h"
#include "policy/decide.h"
#include "policy/drift_words.h"
#include "policy/holds.h"
#include "policy/policy.h"
#include "policy/region_wishes.h"
#include "policy/settings.h"
#include "policy/summary.h"
#include "policy/topology.h"

namespace cxlmemd {

// Policy was carried out: what differs from this since is drift, somebody else's doing.
struct Settled {
    Goal goal;
    DeviceState state;
    std::vector<PhysRange> ranges;
    bool was_unbound = false;      // since: when it is bound again it is new memory
    std::uint64_t since_usec = 0;  // it has stood
};

// Why a device is in trouble, and what ends that.
struct Trouble {
    enum class Cause : std::uint8_t {
        blocked,  // the rule cannot be fulfilled
        drift,    // somebody else changed it, and policy leaves it so
        policy,   // a job of policy failed
        caller,   // a job of a caller failed
    };
    Cause cause = Cause::blocked;
    Error error;
    DeviceState left;  // caller: how its job left the device
};

// What is remembered about one incarnation of a device while the daemon runs. Nothing of it is needed
// after a restart (R12).
struct DeviceNote {
    DaxIdentity device;
    std::optional<Trouble> trouble;

    Arrival arrival;  // while more blocks arrive, nobody acts
    std::optional<Settled> settled;
    std::uint32_t enforcements = 0;  // drift = "enforce": how often in a row that was undone
    bool drift_told = false;         // since it last settled
    bool arrived_later = false;      // than the daemon's first look, and nobody has looked at it yet
    bool was_unbound = false;        // when it was last looked at

    Attempts attempts;
    std::vector<Block> blocks_when_given_up;

    // Last decision that was announced.
    struct Announced {
        Verdict verdict = Verdict::unmanaged;
        std::string reason;
        bool operator==(const Announced&) const = default;
    };
    std::optional<Announced> announced;
};

struct Model {
    // `holds` is the book's, and stays at its place as long as the model does.
    explicit Model(const Holds& of_the_book) : holds(of_the_book) {}

    Topology topology;
    BlockOwners owners;  // of the topology's blocks

    std::optional<Error> scan_error;  // the last look at the machine failed: topology is older
    std::string stuck_call;           // what the worker does not come back from; empty: nothing

    Policy policy;
    std::vector<std::string> policy_files;
    ClosedFiles closed_files;  // of these and of those last read
    std::uint64_t policy_generation = 0;
    bool policy_pending = false;           // the files on disk are valid, and not what is in force
    std::vector<Problem> policy_problems;  // of the files as last read
    std::vector<Problem> policy_problems_in_force;
    Settings settings;
    bool observe_asked = false;   // --observe
    bool observe_forced = false;  // the policy was bad at start-up
    bool holds_unknown = false;   // what an administrator holds could not be read

    const Holds& holds;  // of HoldBook, which alone changes it
    // Devices that may be in the middle of an unbind: shown as before it, and not acted on.
    std::set<std::string> doubtful;
    std::vector<Decision> decisions;
    // Of the decisions, kept so that one changed block need not look at all of them.
    bool bound_stand_alone = false;
    std::size_t blocked = 0;                  // how many
    std::map<std::string, DeviceNote> notes;  // by dax name
    std::vector<Conflict> tuning_conflicts;   // of Tuner
    std::vector<Conflict> region_conflicts;   // of Provisioner
    bool region_failing = false;              // one of them is of a region that cannot be made
    std::vector<Conflict> card_conflicts;     // of CardWatch
    RemovedRegions removed_regions;           // by somebody, since the last reload

    [[nodiscard]] bool observing() const { return observe_asked || observe_forced || holds_unknown; }
};

}  // namespace cxlmemd
