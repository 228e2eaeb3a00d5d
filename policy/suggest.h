// SPDX-License-Identifier: LGPL-2.1-or-later
// "Did you mean": the known word nearest to an unknown one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cxlmemd {

// The candidate that differs from `word` by the fewest letters put in, left out, exchanged or swapped
// with the neighbour; case, '-' and '_' do not count. nullopt if none is near: more than a third of
// the word would have to change. The first of several equally near ones.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

// "; did you mean 'zone'?", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace cxlmemd
