// SPDX-License-Identifier: LGPL-2.1-or-later
// Words and quotes for messages about what a user wrote.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cxlmemd {

// What the user wrote, fit for one line of a terminal, a log or a D-Bus string: in single quotes, control
// characters and what is not UTF-8 as \xNN, and cut after 60 bytes (never inside a UTF-8 sequence).
[[nodiscard]] std::string in_quotes(std::string_view text);

// The same without the quotes and without the cut.
[[nodiscard]] std::string visible(std::string_view text);

// The same, cut after so many bytes of the text (never inside a UTF-8 sequence), with "..." if it was.
[[nodiscard]] std::string visible_part(std::string_view text, std::size_t bytes);

// "a", "a or b", "a, b or c".
[[nodiscard]] std::string one_of(std::span<const std::string_view> words);

// Bytes of the UTF-8 sequence that begins at `at`; 0 if there is no valid one (RFC 3629).
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at);
[[nodiscard]] bool is_utf8_continuation(char byte);

enum class LineBreaks { forbidden, allowed };

// True if a C0 or C1 control character or DEL is in the text (tab and newline where allowed).
[[nodiscard]] bool has_control_character(std::string_view text, LineBreaks breaks = LineBreaks::forbidden);

// "0x590000000-0x59fffffff" becomes "(addresses)": physical addresses are root's, and such a text is shown to
// everyone.
[[nodiscard]] std::string without_addresses(std::string text);

}  // namespace cxlmemd
