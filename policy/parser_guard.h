// SPDX-License-Identifier: LGPL-2.1-or-later
// What the TOML parser must not see. toml++ 3.3 (Debian 12) is not safe on hostile text:
//  - it bounds brackets inside brackets but not the parts of a dotted key, and destroys its tree
//    recursively: "a.a.a.a...=1" overflows the stack;
//  - characters beyond ASCII outside strings and comments, which TOML forbids there, take it to
//    __builtin_unreachable() in is_non_ascii_horizontal_whitespace(); so do those behind a quote in the
//    middle of a word, and behind a backslash in a multi-line string.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policy/syntax.h"

namespace cxlmemd::syntax {

// Brackets inside brackets, and parts of a dotted key. The language itself needs three.
inline constexpr std::size_t max_depth = 16;

struct Refusal {
    Position at;
    std::string message;
};

// The first place that the parser must not see; nullopt if there is none. Reads strings and comments as
// TOML does, up to the first mistake; behind that the parser does not go.
[[nodiscard]] std::optional<Refusal> refusal_of(std::string_view text);

}  // namespace cxlmemd::syntax
