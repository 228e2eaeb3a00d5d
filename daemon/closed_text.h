// SPDX-License-Identifier: LGPL-2.1-or-later
// Policy text that its file does not show to everyone, and who is shown it. Of a file that only root may
// read, others are told the rule's name and its line, and what the daemon does, which they could see anyway.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "dbus/requests.h"
#include "policy/policy.h"

namespace cxlmemd {

// Names of files, as places have them.
using ClosedFiles = std::set<std::string>;

// Instead of a sentence that quotes or repeats such a file.
inline constexpr const char* closed_words = "only root may read this file; ask as root";

[[nodiscard]] bool is_closed(const ClosedFiles& closed, const Place& place);

// Takes the text away from what everyone is shown.
void close_text(bus::PlanEntry& entry, const ClosedFiles& closed);
// Of a sentence that names a place in such a file: "region 'pool' (FILE:3): " and what follows.
void close_text(std::string& sentence, const ClosedFiles& closed);
void close_text(std::vector<Problem>& problems, const ClosedFiles& closed);
void close_text(bus::EffectivePolicy& policy, const ClosedFiles& closed);
void close_text(std::vector<RejectedRule>& rejected, const ClosedFiles& closed);

// Takes physical addresses out of all that it says, for who is not root.
void close_addresses(bus::Explanation& explanation);
void close_addresses(bus::PlanEntry& entry);

}  // namespace cxlmemd
