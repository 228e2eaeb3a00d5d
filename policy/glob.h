// SPDX-License-Identifier: LGPL-2.1-or-later
// Patterns with *, ? and [...], as fnmatch(3) without flags and in the C locale reads them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cxlmemd {

[[nodiscard]] bool glob_fits(const std::string& pattern, std::string_view text);

// True if the pattern stands for itself only.
[[nodiscard]] bool is_literal(std::string_view pattern);

// Pieces that every text which fits must have in it. Not all of them behind a bracket or a backslash
// that is hard to read.
[[nodiscard]] std::vector<std::string_view> literal_pieces(std::string_view pattern);

}  // namespace cxlmemd
