// SPDX-License-Identifier: LGPL-2.1-or-later
// A set of rules, by their position in the policy.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cxlmemd {

class RuleSet final {
 public:
    explicit RuleSet(std::size_t rules) : words_((rules + 63) / 64) {}

    void add(std::size_t rule) { words_[rule / 64] |= std::uint64_t{1} << (rule % 64); }

    RuleSet& operator&=(const RuleSet& other) {
        for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
        return *this;
    }

    // The first member at or after `from`; the number of rules or more if there is none.
    [[nodiscard]] std::size_t next(std::size_t from) const {
        std::size_t word = from / 64;
        if (word >= words_.size()) return words_.size() * 64;
        std::uint64_t bits = words_[word] & (~std::uint64_t{0} << (from % 64));
        while (bits == 0) {
            if (++word == words_.size()) return words_.size() * 64;
            bits = words_[word];
        }
        return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    }

 private:
    std::vector<std::uint64_t> words_;
};

}  // namespace cxlmemd
