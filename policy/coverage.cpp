// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/coverage.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "policy/glob.h"
#include "policy/interval.h"
#include "policy/match_keys.h"

namespace cxlmemd {

namespace {

constexpr std::size_t max_work = 20'000'000;

struct Pattern {
    std::string text;
    bool literal;      // stands for itself only
    bool prefix_star;  // a literal, then one '*'

    explicit Pattern(const std::string& pattern)
        : text(pattern),
          literal(is_literal(pattern)),
          prefix_star(pattern.ends_with('*') && is_literal({pattern.data(), pattern.size() - 1})) {}

    [[nodiscard]] std::string_view prefix() const { return {text.data(), text.size() - 1}; }
};

// The entries of a key in a form that compares quickly. An empty list is an unwritten key, as in Match; so is
// one that holds for every device: each has a kind, a name and a size, while other facts may be unknown, and
// then even "*" does not hold.
template <keys::Of of, class Fact>
std::vector<Pattern> form(const keys::PatternKey<of, Fact>& row, const Match& match, bool&) {
    std::vector<Pattern> out;
    for (const Glob& glob : match.*row.entries) out.emplace_back(glob.pattern);
    if (row.noun == Noun::dax && std::ranges::find(out, "*", &Pattern::text) != out.end()) out.clear();
    return out;
}

template <keys::Of of, class Fact>
std::vector<Interval> form(const keys::NumberKey<of, Fact>& row, const Match& match, bool& never) {
    std::vector<Interval> out;
    for (const Compare& compare : match.*row.entries) {
        if (const auto interval = interval_of(compare, row.quantity)) out.push_back(*interval);
    }
    never = never || (out.empty() && !(match.*row.entries).empty());
    out = merged(std::move(out));
    if (row.quantity == Quantity::size && covers(out, possible(Quantity::size))) out.clear();
    return out;
}

template <class Row>
std::vector<typename Row::Entry> form(const Row& row, const Match& match, bool&) {
    std::vector<typename Row::Entry> out = match.*row.entries;
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
    if constexpr (std::is_same_v<typename Row::Entry, DaxKind>) {
        if (out.size() == kind_words().size()) out.clear();
    }
    return out;
}

auto forms(const Match& match, bool& never) {
    return keys::of_each([&](const auto& row) { return form(row, match, never); });
}

struct Sets {
    bool never = false;  // a comparison that cannot hold; compile() lets none through
    decltype(forms(Match{}, never)) of_keys;

    explicit Sets(const Match& match) : of_keys(forms(match, never)) {}
};

class Comparer final {
 public:
    [[nodiscard]] bool exhausted() const { return work_ > max_work; }

    bool covers_all(const Sets& earlier, const Sets& later) {
        ++work_;
        if (earlier.never || later.never) return false;
        return all_cover(earlier.of_keys, later.of_keys, std::make_index_sequence<keys::count>{});
    }

 private:
    template <class Forms, std::size_t... i>
    bool all_cover(const Forms& earlier, const Forms& later, std::index_sequence<i...>) {
        return (key_covers(std::get<i>(earlier), std::get<i>(later)) && ...);
    }

    // A key that the earlier rule has not written holds for all; one that only the earlier rule has
    // written may fail.
    template <class T>
    bool key_covers(const std::vector<T>& earlier, const std::vector<T>& later) {
        if (earlier.empty()) return true;
        if (later.empty() || later.size() > earlier.size()) return false;
        work_ += earlier.size() + later.size();
        return std::ranges::includes(earlier, later);
    }

    bool key_covers(const std::vector<Pattern>& earlier, const std::vector<Pattern>& later) {
        return each_in_some(earlier, later, [this](const Pattern& outer, const Pattern& inner) {
            return glob_covers(outer, inner);
        });
    }

    using Ranges = std::vector<std::pair<PhysAddr, PhysAddr>>;
    bool key_covers(const Ranges& earlier, const Ranges& later) {
        return each_in_some(earlier, later, [](const auto& outer, const auto& inner) {
            return outer.first <= inner.first && inner.second <= outer.second;
        });
    }

    bool key_covers(const std::vector<Interval>& earlier, const std::vector<Interval>& later) {
        if (earlier.empty()) return true;
        if (later.empty()) return false;
        work_ += later.size();
        return std::ranges::all_of(later, [&](const Interval& inner) { return covers(earlier, inner); });
    }

    template <class T, class Fits>
    bool each_in_some(const std::vector<T>& earlier, const std::vector<T>& later, Fits fits) {
        if (earlier.empty()) return true;
        if (later.empty()) return false;
        return std::ranges::all_of(later, [&](const T& inner) {
            return std::ranges::any_of(earlier, [&](const T& outer) {
                ++work_;
                return !exhausted() && fits(outer, inner);
            });
        });
    }

    bool glob_covers(const Pattern& outer, const Pattern& inner) {
        // "dax0.*" covers "dax0.1?" too: whatever the inner one stands for begins with its literal part.
        if (outer.prefix_star) return inner.text.starts_with(outer.prefix());
        if (outer.text == inner.text) return true;
        if (outer.literal || !inner.literal) return false;
        work_ += outer.text.size() * inner.text.size() / 16;
        return glob_fits(outer.text, inner.text);
    }

    std::size_t work_ = 0;
};

}  // namespace

bool covers(const Match& earlier, const Match& later) {
    return Comparer{}.covers_all(Sets{earlier}, Sets{later});
}

std::vector<std::optional<std::size_t>> covered_by(const std::vector<std::optional<Match>>& matches) {
    std::vector<std::optional<Sets>> sets;
    sets.reserve(matches.size());
    for (const auto& match : matches) {
        sets.push_back(match ? std::optional<Sets>{std::in_place, *match} : std::nullopt);
    }
    std::vector<std::optional<std::size_t>> out(matches.size());
    Comparer comparer;
    for (std::size_t later = 0; later < sets.size() && !comparer.exhausted(); ++later) {
        for (std::size_t earlier = 0; sets[later] && earlier < later && !out[later]; ++earlier) {
            if (sets[earlier] && comparer.covers_all(*sets[earlier], *sets[later])) out[later] = earlier;
        }
    }
    return out;
}

}  // namespace cxlmemd
