// SPDX-License-Identifier: LGPL-2.1-or-later
// Why a card, a region, a node or a window is as it is, in sentences: what Explain says of objects that no
// rule decides about, and what the status says of cards that are no memory. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/topology.h"

namespace cxlmemd {

struct HardwareWords {
    std::string verdict;  // "in-use": something stands there; "unused"; "unknown": cannot tell
    std::string reason;   // one sentence or more, naming what to do next where something is amiss
    std::vector<std::string> obstacles;  // what stands there, one line each
};

[[nodiscard]] HardwareWords explain_hardware(const Topology& topology, const Memdev& memdev);
// Of a region that is disabled: what that means, and what to do.
[[nodiscard]] std::string disabled_words(const Region& region);
[[nodiscard]] HardwareWords explain_hardware(const Topology& topology, const Region& region);
[[nodiscard]] HardwareWords explain_hardware(const Topology& topology, const RootDecoder& root);
[[nodiscard]] HardwareWords explain_hardware(const Topology& topology, const Node& node);

// Why memory of each card is not managed as a dax device, in a few words ("16 GiB, no region"), in the order
// of the topology's memdevs; empty if all of it is. On a machine on which all is well that is one pass over
// regions and devices, however many cards there are.
[[nodiscard]] std::vector<std::string> why_no_memory(const Topology& topology);

}  // namespace cxlmemd
