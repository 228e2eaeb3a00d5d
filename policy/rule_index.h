// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the first rule that holds for a device without asking every rule: a fleet has thousands of
// devices and rules, and most rules fail by a value that can be looked up.
//
// For each key the index answers "which rules may hold, given this value?" as a set of rules; the
// sets of all keys are intersected, and only what remains is asked in full. The answer is the same
// as from asking the rules one by one. Used within one decide() call, by one thread; refers to the
// policy, which must outlive it. Memory grows linearly with the policy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/glob_index.h"
#include "policy/match.h"
#include "policy/match_keys.h"
#include "policy/policy.h"
#include "policy/rule_set.h"

namespace cxlmemd {

// A key whose entries are plain values: a rule may hold if the value is listed.
template <class T>
class ValueIndex final {
 public:
    explicit ValueIndex(std::size_t rules) : unwritten_(rules) {}

    void add(std::size_t rule, const std::vector<T>& entries) {
        if (entries.empty()) unwritten_.add(rule);
        for (const T& entry : entries) listed_[entry].push_back(rule);
    }
    [[nodiscard]] bool used() const { return !listed_.empty(); }
    [[nodiscard]] const RuleSet& unwritten() const { return unwritten_; }
    [[nodiscard]] RuleSet holding(const T& fact) const {
        RuleSet set = unwritten_;
        if (const auto it = listed_.find(fact); it != listed_.end()) {
            for (const std::size_t rule : it->second) set.add(rule);
        }
        return set;
    }

 private:
    RuleSet unwritten_;
    std::unordered_map<T, std::vector<std::size_t>> listed_;
};

// A key whose entries compare a number. Devices share few numbers, so answers are remembered.
class CompareIndex final {
 public:
    explicit CompareIndex(std::size_t rules) : unwritten_(rules) {}

    void add(std::size_t rule, const std::vector<Compare>& entries);
    [[nodiscard]] bool used() const { return !written_.empty(); }
    [[nodiscard]] const RuleSet& unwritten() const { return unwritten_; }
    [[nodiscard]] const RuleSet& holding(std::uint64_t fact);
    [[nodiscard]] std::size_t work() const { return work_; }

 private:
    RuleSet unwritten_;
    std::size_t work_ = 0;
    std::vector<std::pair<Compare, std::size_t>> written_;
    std::unordered_map<std::uint64_t, RuleSet> remembered_;  // bounded
};

// A key whose entries are ranges of addresses, of which one must hold all of the device's range.
class RangeIndex final {
 public:
    explicit RangeIndex(std::size_t rules) : unwritten_(rules) {}

    void add(std::size_t rule, const std::vector<std::pair<PhysAddr, PhysAddr>>& entries);
    void finish();
    [[nodiscard]] bool used() const { return !written_.empty(); }
    [[nodiscard]] const RuleSet& unwritten() const { return unwritten_; }
    [[nodiscard]] RuleSet holding(const PhysRange& range);
    [[nodiscard]] std::size_t work() const { return work_; }

 private:
    struct Written {
        std::pair<PhysAddr, PhysAddr> inclusive;
        std::size_t rule;
        PhysAddr last_so_far;  // of this and all that begin before it
    };
    RuleSet unwritten_;
    std::vector<Written> written_;  // by first byte
    std::size_t work_ = 0;
};

// Of the keys that are the same for all devices of a machine: RuleIndex::here_ has them.
struct NoIndex {};

// Which index a row of the table of keys has.
template <class Row>
[[nodiscard]] auto index_of(const Row&, std::size_t rules) {
    using Entry = typename Row::Entry;
    if constexpr (Row::of == keys::Of::machine) {
        return NoIndex{};
    } else if constexpr (std::is_same_v<Entry, Glob>) {
        return GlobIndex{rules};
    } else if constexpr (std::is_same_v<Entry, Compare>) {
        return CompareIndex{rules};
    } else if constexpr (std::is_same_v<Entry, std::pair<PhysAddr, PhysAddr>>) {
        return RangeIndex{rules};
    } else {
        return ValueIndex<Entry>{rules};
    }
}

[[nodiscard]] inline auto indexes_of(std::size_t rules) {
    return keys::of_each([rules](const auto& row) { return index_of(row, rules); });
}

class RuleIndex final {
 public:
    explicit RuleIndex(const Policy& policy);

    // The first rule that holds, null if none does.
    [[nodiscard]] const Rule* find(const Facts& facts);
    // How many globs, comparisons, ranges and whole matches were asked so far: what the time goes into.
    [[nodiscard]] std::size_t work() const;

 private:
    [[nodiscard]] const RuleSet& on_this_machine(const HostFacts& host);
    [[nodiscard]] RuleSet candidates(const Facts& facts);

    const Policy& policy_;
    // The rules whose machine it is, for the one that was asked about last.
    std::optional<std::pair<HostFacts, RuleSet>> here_;
    decltype(indexes_of(0)) indexes_;  // by the rows of the table
    std::size_t work_ = 0;
};

}  // namespace cxlmemd
