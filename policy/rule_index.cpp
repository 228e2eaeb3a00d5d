// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/rule_index.h"

#include <algorithm>
#include <functional>
#include <optional>

namespace cxlmemd {

namespace {

// A machine whose devices all differ in size must not make the memory grow without bound.
constexpr std::size_t max_remembered = 256;

// Narrows `set` by one key. What the kernel does not give is held only where nothing was written.
template <class Index, class Fact>
void narrow(RuleSet& set, Index& index, const std::optional<Fact>& fact) {
    if (!index.used()) return;
    if (fact) {
        set &= index.holding(*fact);
    } else {
        set &= index.unwritten();
    }
}

// The same for a key that every one of several facts must hold.
template <class Index, class Fact>
void narrow(RuleSet& set, Index& index, const std::vector<Fact>& facts) {
    if (!index.used()) return;
    if (facts.empty()) set &= index.unwritten();
    for (const auto& fact : facts) set &= index.holding(fact);
}

}  // namespace

void CompareIndex::add(std::size_t rule, const std::vector<Compare>& entries) {
    if (entries.empty()) unwritten_.add(rule);
    for (const Compare& entry : entries) written_.emplace_back(entry, rule);
}

const RuleSet& CompareIndex::holding(std::uint64_t fact) {
    const auto it = remembered_.find(fact);
    if (it != remembered_.end()) return it->second;
    if (remembered_.size() >= max_remembered) remembered_.clear();
    RuleSet set = unwritten_;
    work_ += written_.size();
    for (const auto& [compare, rule] : written_) {
        if (fits(compare, fact)) set.add(rule);
    }
    return remembered_.emplace(fact, std::move(set)).first->second;
}

void RangeIndex::add(std::size_t rule, const std::vector<std::pair<PhysAddr, PhysAddr>>& entries) {
    if (entries.empty()) unwritten_.add(rule);
    for (const auto& entry : entries) written_.push_back({entry, rule, {}});
}

void RangeIndex::finish() {
    std::ranges::sort(written_, {}, &Written::inclusive);
    PhysAddr last;
    for (Written& written : written_) {
        last = std::max(last, written.inclusive.second);
        written.last_so_far = last;
    }
}

RuleSet RangeIndex::holding(const PhysRange& range) {
    RuleSet set = unwritten_;
    // From the last that begins early enough back to where none reaches far enough any more.
    auto it = std::ranges::upper_bound(written_, range.start, {},
                                       [](const Written& written) { return written.inclusive.first; });
    while (it != written_.begin()) {
        --it;
        ++work_;
        if (it->last_so_far.value() < range.end().value() - 1) break;
        if (lies_in(range, it->inclusive)) set.add(it->rule);
    }
    return set;
}

RuleIndex::RuleIndex(const Policy& policy) : policy_(policy), indexes_(indexes_of(policy.rules.size())) {
    keys::all_with(indexes_, [&]<class Index>(const auto& row, Index& index) {
        if constexpr (!std::is_same_v<Index, NoIndex>) {
            for (std::size_t rule = 0; rule < policy.rules.size(); ++rule)
                index.add(rule, policy.rules[rule].match.*row.entries);
        }
        if constexpr (requires { index.finish(); }) index.finish();
        return true;
    });
}

const RuleSet& RuleIndex::on_this_machine(const HostFacts& host) {
    if (here_ && here_->first == host) return here_->second;
    RuleSet set{policy_.rules.size()};
    for (std::size_t rule = 0; rule < policy_.rules.size(); ++rule) {
        if (!first_failing_of_host(host, policy_.rules[rule].match)) set.add(rule);
    }
    return here_.emplace(host, std::move(set)).second;
}

RuleSet RuleIndex::candidates(const Facts& facts) {
    RuleSet set = on_this_machine(*facts.machine);
    keys::all_with(indexes_, [&]<class Index>(const auto& row, Index& index) {
        if constexpr (!std::is_same_v<Index, NoIndex>) narrow(set, index, std::invoke(row.fact, facts));
        return true;
    });
    return set;
}

const Rule* RuleIndex::find(const Facts& facts) {
    const RuleSet set = candidates(facts);
    const std::vector<Rule>& rules = policy_.rules;
    for (std::size_t rule = set.next(0); rule < rules.size(); rule = set.next(rule + 1)) {
        ++work_;
        if (!first_failing(facts, rules[rule].match)) return &rules[rule];
    }
    return nullptr;
}

std::size_t RuleIndex::work() const {
    std::size_t out = work_;
    keys::all_with(indexes_, [&](const auto&, const auto& index) {
        if constexpr (requires { index.work(); }) out += index.work();
        return true;
    });
    return out;
}

}  // namespace cxlmemd
