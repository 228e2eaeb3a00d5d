// SPDX-License-Identifier: LGPL-2.1-or-later
// Which rules have a glob that a text fits, of thousands of globs, asking few of them.
//
// Every text that fits a pattern has the pattern's literal pieces in it. One piece of each pattern, the
// one that fewest others share, is looked for in the text; only patterns whose piece is there are asked.
// Memory grows linearly with the patterns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/policy.h"
#include "policy/rule_set.h"

namespace cxlmemd {

// First add() all, then finish(), then ask. The globs must outlive it.
class GlobIndex final {
 public:
    explicit GlobIndex(std::size_t rules) : unwritten_(rules) {}

    void add(std::size_t rule, const std::vector<Glob>& entries);
    void finish();

    [[nodiscard]] bool used() const { return !patterns_.empty(); }
    // The rules that have no glob: they hold for every text, and for none.
    [[nodiscard]] const RuleSet& unwritten() const { return unwritten_; }
    // Valid until the next call.
    [[nodiscard]] const RuleSet& holding(std::string_view fact);
    // How many patterns were asked so far.
    [[nodiscard]] std::size_t work() const { return work_; }

 private:
    // Up to eight bytes of text; shorter ones end in zeros, which no name has in it.
    using Piece = std::uint64_t;
    struct Pattern {
        const Glob* glob = nullptr;
        std::vector<std::size_t> rules;
    };
    using Candidates = std::vector<std::size_t>;  // → patterns_

    [[nodiscard]] RuleSet ask(std::string_view fact);
    void ask(const Candidates& candidates, std::string_view fact, RuleSet& set);

    RuleSet unwritten_;
    std::vector<Pattern> patterns_;
    std::unordered_map<std::string_view, std::size_t> by_text_;  // → patterns_
    std::unordered_map<Piece, Candidates> by_piece_;
    std::vector<std::size_t> piece_lengths_;  // that occur
    Candidates without_piece_;
    std::unordered_map<std::string, RuleSet> remembered_;  // bounded: hosts and decoders repeat
    std::size_t work_ = 0;
};

}  // namespace cxlmemd
