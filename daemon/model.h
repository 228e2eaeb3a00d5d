// Everything the loop thread knows: what the machine is like, what is wanted, and what it has learnt
// about each device. Plain data; Service owns one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/closed_text.h"
#include "daemon/event_loop.h"
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

// What is remembered about one incarnation of a device while the daemon runs. Nothing of it is needed
// after a restart (R12).
struct DeviceNote {
    DaxIdentity device;
    std::optional<Error> last_error;

    // kmem shows up as the driver before it has added all blocks. While more arrive, nobody acts:
    // the timer runs from the last arrival.
    std::size_t arrived = 0;
    EventLoop::Source arrival;
    bool arrival_over = false;

    // Policy was carried out once; what differs from it since is drift, somebody else's doing.
    bool settled = false;
    std::optional<Goal> settled_goal;
    DeviceState settled_state;
    std::vector<PhysRange> settled_ranges;
    bool was_unbound = false;        // since it settled: when it is bound again it is new memory
    std::uint32_t enforcements = 0;  // drift = "enforce": how often in a row that was undone
    bool drift_told = false;

    // Trying again after failures.
    std::uint32_t attempts = 0;
    bool exhausted = false;
    bool waits_for_room = false;  // max_movable_ratio: for kernel memory of other devices
    std::vector<Block> blocks_when_exhausted;
    EventLoop::Source retry;  // armed while it waits

    // Last decision that was announced.
    Verdict verdict = Verdict::unmanaged;
    std::string reason;
    bool announced = false;
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
