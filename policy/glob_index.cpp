// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/glob_index.h"

#include <algorithm>
#include <cstring>

#include "policy/glob.h"

namespace cxlmemd {

namespace {

constexpr std::size_t longest_piece = sizeof(std::uint64_t);
constexpr std::size_t most_pieces = 8;  // of one pattern that are looked at
constexpr std::size_t max_remembered = 256;

std::uint64_t pack(std::string_view text) {
    std::uint64_t out = 0;
    std::memcpy(&out, text.data(), std::min(text.size(), longest_piece));
    return out;
}

// Beginnings and ends of the pattern's literal pieces.
std::vector<std::string_view> pieces_of(std::string_view pattern) {
    std::vector<std::string_view> out;
    for (const std::string_view piece : literal_pieces(pattern)) {
        out.push_back(piece.substr(0, longest_piece));
        if (piece.size() > longest_piece) out.push_back(piece.substr(piece.size() - longest_piece));
        if (out.size() >= most_pieces) break;
    }
    return out;
}

}  // namespace

void GlobIndex::add(std::size_t rule, const std::vector<Glob>& entries) {
    if (entries.empty()) unwritten_.add(rule);
    for (const Glob& glob : entries) {
        const auto [it, is_new] = by_text_.try_emplace(glob.pattern, patterns_.size());
        if (is_new) patterns_.push_back({&glob, {}});
        patterns_[it->second].rules.push_back(rule);
    }
}

void GlobIndex::finish() {
    std::unordered_map<Piece, std::size_t> shared_by;
    for (const Pattern& pattern : patterns_) {
        if (is_literal(pattern.glob->pattern)) continue;
        for (const std::string_view piece : pieces_of(pattern.glob->pattern)) ++shared_by[pack(piece)];
    }
    std::uint32_t lengths = 0;
    for (std::size_t at = 0; at < patterns_.size(); ++at) {
        const std::string& pattern = patterns_[at].glob->pattern;
        if (is_literal(pattern)) continue;  // found by its text
        const auto pieces = pieces_of(pattern);
        if (pieces.empty()) {
            without_piece_.push_back(at);
            continue;
        }
        const std::string_view rarest =
            *std::ranges::min_element(pieces, [&](std::string_view a, std::string_view b) {
                const std::size_t by_a = shared_by.at(pack(a));
                const std::size_t by_b = shared_by.at(pack(b));
                return by_a != by_b ? by_a < by_b : a.size() > b.size();
            });
        by_piece_[pack(rarest)].push_back(at);
        lengths |= std::uint32_t{1} << rarest.size();
    }
    for (std::size_t length = 1; length <= longest_piece; ++length) {
        if ((lengths >> length & 1) != 0) piece_lengths_.push_back(length);
    }
}

const RuleSet& GlobIndex::holding(std::string_view fact) {
    std::string key{fact};
    const auto it = remembered_.find(key);
    if (it != remembered_.end()) return it->second;
    if (remembered_.size() >= max_remembered) remembered_.clear();
    return remembered_.emplace(std::move(key), ask(fact)).first->second;
}

void GlobIndex::ask(const Candidates& candidates, std::string_view fact, RuleSet& set) {
    for (const std::size_t at : candidates) {
        ++work_;
        if (!glob_fits(patterns_[at].glob->pattern, fact)) continue;
        for (const std::size_t rule : patterns_[at].rules) set.add(rule);
    }
}

RuleSet GlobIndex::ask(std::string_view fact) {
    RuleSet set = unwritten_;
    // A pattern that is no literal may be the fact's text, too: asked here, it is asked at most twice.
    if (const auto it = by_text_.find(fact); it != by_text_.end()) ask({it->second}, fact, set);
    ask(without_piece_, fact, set);
    for (const std::size_t length : piece_lengths_) {
        for (std::size_t at = 0; at + length <= fact.size(); ++at) {
            const auto it = by_piece_.find(pack(fact.substr(at, length)));
            if (it != by_piece_.end()) ask(it->second, fact, set);
        }
    }
    return set;
}

}  // namespace cxlmemd
