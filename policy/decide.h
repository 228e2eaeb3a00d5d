// SPDX-License-Identifier: LGPL-2.1-or-later
// The decision: which rule holds for a device, and which steps bring the device there.
//
// Functions, in the mathematical sense: same inputs, same plan. Plan, Explain, --plan, observe mode
// and real work all call them. No I/O, no clock, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/error.h"
#include "policy/holds.h"
#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

enum class StepKind : std::uint8_t {
    set_mode,        // bind the driver of `mode`; never planned while a block of the device is online
    unplug,          // write "unplugged" to daxX.Y/state of a device none of whose blocks is online
    offline,         // take `blocks` offline, in this order
    online,          // bring `blocks` online in `zone`, in this order
    destroy_region,  // of removals alone (plan_removal.h), never of a device's plan
};

struct Step {
    StepKind kind = StepKind::online;
    DaxMode mode = DaxMode::system_ram;  // set_mode only
    Zone zone = Zone::none;              // online only
    // offline and online only, in the order in which to go (block_order.h).
    std::vector<BlockIndex> blocks;
    // offline and online only: by one write to daxX.Y/state, which takes the whole device or nothing of it;
    // `blocks` are all of it then. Offline is "unplugged": the blocks vanish.
    bool by_state = false;

    bool operator==(const Step&) const = default;
};

// Why a device cannot be brought where it should be, though nothing has failed yet.
struct DevicePlan {
    std::vector<Step> steps;       // in order; empty if there is nothing to do or nothing can be done
    std::optional<Error> blocked;  // set if the goal cannot be reached, or not wholly
    std::string reason;            // one sentence: why these steps, or why none
    // How much of the device shall be online at the end, and of that how much already is (in the
    // right zone, or in another one that stays by on_conflict = keep).
    std::uint64_t blocks_wanted = 0;
    std::uint64_t blocks_right = 0;

    bool operator==(const DevicePlan&) const = default;
};

// The steps that bring one device to a goal, given what the kernel shows now. Idempotent: applied to
// the topology that these steps lead to, it has no steps. Rules it obeys:
//  - mode ignore: no steps.
//  - reboot_required(): blocked with ErrorCode::reboot_required, no steps (R11).
//  - mode system_ram and target_node < 0: blocked, before kmem is asked (R8); the message has the
//    kernel's words "invalid node".
//  - mode system_ram and no whole block: blocked, a clear error (R9).
//  - require_node not empty and target_node not in it: blocked with ErrorCode::conflict, no steps.
//  - a change of mode needs every block offline: first an offline step, then set_mode (R11).
//  - no memory_hotremove: never an offline step; blocked with not_supported if one were needed (R13).
//  - amount: blocks already online in the wanted zone stay, highest first, up to the amount; then those
//    in the wrong zone (rezone: offline then online; keep: they stay and count); then offline blocks,
//    highest first. Online blocks beyond the amount, the lowest, go offline.
//  - a block that is online in the wrong zone goes offline before any block comes online.
//  - a block whose allowed zones exclude the wanted one is left alone and said in `blocked`.
//  - blocks in going_offline are left alone in this plan.
//  - device bound to kmem, its state unplugged and blocks wanted: set_mode to none first, then as not bound.
//  - online_by = state: steps by_state where the whole device comes online in one zone and none of it is
//  right
//    yet, or goes offline wholly; with an unplug before them where blocks are there. A device that is
//    unplugged is not unbound then. Else block by block, and the reason says why (state_plan.h).
//  - device not bound: set_mode, then an online step of the blocks that will exist then.
//  - device not bound, auto_online not offline: the kernel will have onlined the blocks; what is wrong with
//    that is put right by the steps after the bind.
//  - device not bound: blocked with ErrorCode::conflict if its struct pages would starve the kernel zones;
//    `kernel_promised` of what is available there has been promised to other devices.
//  - zone automatic: as goal.split says (auto_zone.h); movable without one. The movable part is the
//    highest blocks, the kernel's those below.
[[nodiscard]] DevicePlan plan_device(const Topology& topology, const DaxDevice& device, const Goal& goal,
                                     Bytes kernel_promised = {});

// What forbids to touch the device at all, whatever its blocks are like.
[[nodiscard]] std::optional<Error> forbidden(const Topology& topology, const DaxDevice& device,
                                             const Goal& goal);

// What the bind of the device takes from kernel zones, before any block is online.
[[nodiscard]] Bytes struct_page_bytes(const Topology& topology, const DaxDevice& device);

// A machine with this device alone, as its bind to kmem leaves it: blocks there, and online if that is what
// auto_online_blocks makes of them.
[[nodiscard]] Topology bound_alone(const Topology& topology, const DaxDevice& device);

// What plan_device would see if the steps all succeeded. Used by tests and by Plan.
[[nodiscard]] Topology predict(const Topology& topology, const DaxDevice& device, const DevicePlan& plan);

// --- Matching ---

// One key of a rule's match that did not hold.
struct Mismatch {
    std::string key;   // "memdev_serial"
    std::string want;  // as written, roughly: "0x1 or 0x2"
    std::string seen;  // "0x3", or "the kernel reports none"

    bool operator==(const Mismatch&) const = default;
};

// The first key (in the order of struct Match) that fails; nullopt if the rule holds.
// A key whose fact the kernel does not provide does not match.
[[nodiscard]] std::optional<Mismatch> mismatch(const Topology& topology, const DaxDevice& device,
                                               const Match& match);

// --- Deciding ---

enum class Verdict : std::uint8_t {
    unmanaged,  // no rule holds: only watched
    ignored,    // the rule says mode = "ignore"
    held,       // an administrator's hand is on it, or a card below it is to be pulled: policy keeps off
    in_policy,  // everything is as the rule says
    act,        // there are steps
    blocked,    // the rule cannot be fulfilled, and no step helps
};

[[nodiscard]] std::string_view to_string(Verdict verdict);

struct RejectedRule {
    std::string rule;
    Place place;
    Mismatch why;

    bool operator==(const RejectedRule&) const = default;
};

struct Decision {
    DaxIdentity device;
    Verdict verdict = Verdict::unmanaged;
    std::string rule;  // empty if none
    Place place;       // of the rule
    std::optional<Goal> goal;
    DevicePlan plan;
    std::string held_why{};  // held only: "an administrator holds it", or the card that is to be pulled
    std::string reason;      // one sentence a person understands, naming rule and cause

    bool operator==(const Decision&) const = default;
};

// One decision a device, in the topology's order. The first rule whose match holds decides.
[[nodiscard]] std::vector<Decision> decide(const Topology& topology, const Policy& policy,
                                           const Holds& holds);

// Whether plan_again() says of every device on kmem what decide() would, if nothing but blocks of that device
// has changed since. Not where any device is under zone = "auto" or waits to be bound: those look at the
// whole machine. A look at all decisions.
[[nodiscard]] bool bound_stand_alone(const Topology& topology, const std::vector<Decision>& decisions);
// The same rule, planned anew; no other device's decision.
void plan_again(const Topology& topology, const DaxDevice& device, Decision& decision);

// In which order to go about them, as indices: devices under zone = "auto" that give up movable memory first,
// so that the machine never has more than max_movable_ratio allows; then those whose rule names a zone; then
// the other ones under "auto", whose part in ZONE_MOVABLE rests on the memory of the rest. Those whose rule
// names a zone go node by node, in the order that costs the kernel least: by rising address what only gives
// up memory, then by falling address what brings some.
[[nodiscard]] std::vector<std::size_t> order_of_work(const Topology& topology,
                                                     const std::vector<Decision>& decisions);

// A goal as it is for that device on this machine, if it were what decides: with a split where zone is
// automatic.
[[nodiscard]] Goal resolved(const Topology& topology, const Policy& policy, const Holds& holds,
                            const DaxDevice& device, Goal goal);

// The earlier rules, each with the first key that failed. All of the policy's if none held.
[[nodiscard]] std::vector<RejectedRule> rejected_rules(const Topology& topology, const Policy& policy,
                                                       const DaxDevice& device);

}  // namespace cxlmemd
