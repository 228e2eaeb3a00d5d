// SPDX-License-Identifier: LGPL-2.1-or-later
// daxX.Y/state (7.3) in a plan: where one write to it does what is wanted, and where it does not. Pure.
//
// The kernel takes an online value only while state reads "unplugged" (EBUSY else, even if the blocks are
// online already), and "unplugged" from a device as a whole, all of its blocks or none (drivers/dax/kmem.c).
#pragma once

#include <string>
#include <vector>

#include "policy/block_choice.h"
#include "policy/decide.h"
#include "policy/policy.h"
#include "policy/topology.h"

namespace cxlmemd {

// The device has a state, it reads "unplugged", and no block of it is there.
[[nodiscard]] bool is_unplugged(const Topology& topology, const DaxDevice& device);

// The steps by state that carry out the choice for a device on kmem; none if there are none that do. An
// unplugged device is brought back by one write if `choice` is of the device as its bind would leave it.
[[nodiscard]] std::vector<Step> steps_by_state(const Topology& topology, const DaxDevice& device,
                                               const Goal& goal, const BlockChoice& choice);

// What a reason says of online_by = "state" for a device on kmem: that it is done so, or why it is not.
// Begins with "; "; empty if there is nothing to say.
[[nodiscard]] std::string state_words(const Topology& topology, const DaxDevice& device, const Goal& goal,
                                      const std::vector<Step>& steps);

// What to know of a state that disagrees with the blocks; empty if it agrees or there is none.
[[nodiscard]] std::string hotplug_note(const Topology& topology, const DaxDevice& device);

}  // namespace cxlmemd
