// SPDX-License-Identifier: LGPL-2.1-or-later
// The keys of a match in the words of a policy file. Pure, any thread.
#pragma once

#include <cstddef>
#include <string>

#include "policy/match.h"

namespace cxlmemd {

// What was written for the key, roughly: "0x1 or 0x2", ">= 16GiB"; empty if it was not written. Of a
// long list the first `most` entries and how many follow.
[[nodiscard]] std::string wanted(MatchKey key, const Match& match, std::size_t most = SIZE_MAX);

// What the device has for the key: "0x3", or "the kernel reports none".
[[nodiscard]] std::string seen(MatchKey key, const Facts& facts);

}  // namespace cxlmemd
