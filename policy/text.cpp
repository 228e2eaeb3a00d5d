// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace cxlmemd {

namespace {

constexpr std::size_t max_quoted_bytes = 60;

bool is_c0_or_del(unsigned char byte) {
    return byte < 0x20 || byte == 0x7f;
}

// U+0080..U+009F, which terminals obey like C0, are C2 80..C2 9F in UTF-8.
bool is_c1_at(std::string_view text, std::size_t i) {
    if (i + 1 >= text.size() || static_cast<unsigned char>(text[i]) != 0xc2) return false;
    const auto next = static_cast<unsigned char>(text[i + 1]);
    return next >= 0x80 && next <= 0x9f;
}

}  // namespace

bool is_utf8_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if (!is_utf8_continuation(text[at + i])) return 0;
    }
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const auto second = static_cast<unsigned char>(text[at + 1]);
    const bool invalid = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                         (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
    return invalid ? 0 : length;
}

std::string visible(std::string_view text) {
    // As nearly everything is.
    if (std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; })) return std::string{text};
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text, i);
        const auto byte = static_cast<unsigned char>(text[i]);
        if (length == 0 || is_c0_or_del(byte)) {
            out += fmt::format("\\x{:02x}", byte);
        } else if (is_c1_at(text, i)) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i + 1]));
        } else {
            out += text.substr(i, length);
        }
        i += length == 0 ? 1 : length;
    }
    return out;
}

std::string visible_part(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return visible(text);
    std::size_t end = bytes;
    while (end > 0 && is_utf8_continuation(text[end])) --end;
    return visible(text.substr(0, end)) + "...";
}

std::string in_quotes(std::string_view text) {
    return "'" + visible_part(text, max_quoted_bytes) + "'";
}

std::string one_of(std::span<const std::string_view> words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != 0) out += i + 1 == words.size() ? " or " : ", ";
        out += words[i];
    }
    return out;
}

bool has_control_character(std::string_view text, LineBreaks breaks) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_break = text[i] == '\n' || text[i] == '\t';
        if (is_break && breaks == LineBreaks::allowed) continue;
        if (is_c0_or_del(static_cast<unsigned char>(text[i])) || is_c1_at(text, i)) return true;
    }
    return false;
}

std::string without_addresses(std::string text) {
    const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
    // The end of "0x..." at `at`; `at` if there is none.
    const auto end_of_number = [&](std::size_t at) {
        if (text.compare(at, 2, "0x") != 0) return at;
        std::size_t end = at + 2;
        while (end < text.size() && is_hex(text[end])) ++end;
        return end;
    };
    for (std::size_t at = text.find("0x"); at != std::string::npos; at = text.find("0x", at + 1)) {
        const std::size_t dash = end_of_number(at);
        if (dash >= text.size() || text[dash] != '-') continue;
        const std::size_t end = end_of_number(dash + 1);
        if (end > dash + 1) text.replace(at, end - at, "(addresses)");
    }
    return text;
}

}  // namespace cxlmemd
