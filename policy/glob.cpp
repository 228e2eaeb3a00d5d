// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/glob.h"

#include <fnmatch.h>

#include <algorithm>
#include <string>

namespace cxlmemd {

namespace {

constexpr std::string_view special = "*?[\\";

// * and ? only. The last star takes one more character whenever what follows it does not fit.
bool simple_fits(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t behind_star = std::string_view::npos;
    std::size_t star_ends = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            behind_star = ++p;
            star_ends = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (behind_star != std::string_view::npos) {
            p = behind_star;
            t = ++star_ends;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

// Where the bracket that opens at `at` ends: behind it, or npos if it is not one that anybody can read
// at a glance ("[]a]", "[[:alpha:]]", "[a").
std::size_t behind_bracket(std::string_view pattern, std::size_t at) {
    std::size_t first = at + 1;
    if (first < pattern.size() && (pattern[first] == '!' || pattern[first] == '^')) ++first;
    const std::size_t end = pattern.find_first_of("[]\\/", first);
    if (end == std::string_view::npos || pattern[end] != ']' || end == first) return std::string_view::npos;
    return end + 1;
}

}  // namespace

bool glob_fits(const std::string& pattern, std::string_view text) {
    if (pattern.find_first_of("[\\") == std::string::npos) return simple_fits(pattern, text);
    return ::fnmatch(pattern.c_str(), std::string{text}.c_str(), 0) == 0;
}

bool is_literal(std::string_view pattern) {
    return pattern.find_first_of(special) == std::string_view::npos;
}

std::vector<std::string_view> literal_pieces(std::string_view pattern) {
    std::vector<std::string_view> out;
    std::size_t at = 0;
    while (at < pattern.size()) {
        const std::size_t end = std::min(pattern.find_first_of(special, at), pattern.size());
        if (end > at) out.push_back(pattern.substr(at, end - at));
        if (end == pattern.size() || pattern[end] == '\\') break;
        at = pattern[end] == '[' ? behind_bracket(pattern, end) : end + 1;
    }
    return out;
}

}  // namespace cxlmemd
