// SPDX-License-Identifier: LGPL-2.1-or-later
// mismatch(): the key of a match that fails, in the words of a policy file.
#include "policy/decide.h"
#include "policy/match.h"
#include "policy/match_words.h"

namespace cxlmemd {

std::optional<Mismatch> mismatch(const Topology& topology, const DaxDevice& device, const Match& match) {
    const Facts facts = facts_of(topology, device);
    const std::optional<MatchKey> key = first_failing(facts, match);
    if (!key) return std::nullopt;
    return Mismatch{std::string{to_string(*key)}, wanted(*key, match), seen(*key, facts)};
}

}  // namespace cxlmemd
