// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/suggest.h"

#include <algorithm>
#include <array>

#include "policy/text.h"

namespace cxlmemd {

namespace {

// No known word is longer; what a user wrote may be, and must not cost time.
constexpr std::size_t max_word = 32;

using Row = std::array<std::size_t, max_word + 1>;

char folded(char c) {
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

// Optimal string alignment: Levenshtein with swaps of neighbours. Both words are at most max_word.
std::size_t distance(std::string_view a, std::string_view b) {
    Row before{};
    Row above{};
    Row current{};
    for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char x = folded(a[i - 1]);
            const char y = folded(b[j - 1]);
            current[j] = std::min({above[j] + 1, current[j - 1] + 1, above[j - 1] + (x == y ? 0U : 1U)});
            if (i > 1 && j > 1 && x == folded(b[j - 2]) && y == folded(a[i - 2])) {
                current[j] = std::min(current[j], before[j - 2] + 1);
            }
        }
        before = above;
        above = current;
    }
    return above[b.size()];
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.empty() || word.size() > max_word) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > max_word) continue;
        const std::size_t d = distance(word, candidate);
        // A candidate of which nothing is left is no likeness: "x" for "B".
        if (d < best_distance && d < std::max(word.size(), candidate.size())) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const auto best = nearest(word, candidates);
    return best ? "; did you mean " + in_quotes(*best) + "?" : std::string{};
}

}  // namespace cxlmemd
