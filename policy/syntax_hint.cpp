// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/syntax_hint.h"

#include <algorithm>
#include <string>

#include "policy/text.h"

namespace cxlmemd::syntax {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view line_of(std::string_view text, std::uint32_t number) {
    for (std::uint32_t i = 1; i < number; ++i) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    return text.substr(0, text.find('\n'));
}

// True if the line ends where the mistake is. Columns count characters.
bool breaks_at(std::string_view text, Position at) {
    const std::string_view line = line_of(text, at.line);
    const auto characters =
        std::ranges::count_if(line, [](char c) { return c != '\r' && !is_utf8_continuation(c); });
    return at.column > characters;
}

// The unquoted value that the mistake is in: behind the first '=' of the line, and in a list the entry
// around the column. Empty if there is none, or if it holds quotes or brackets.
std::string_view bare_value(std::string_view line, std::size_t column) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return {};
    const std::size_t start_of_values = equals + 1;
    const std::size_t mistake = std::clamp(column == 0 ? 0 : column - 1, start_of_values, line.size());
    const std::size_t before = line.substr(0, mistake).find_last_of(",[{");
    const std::size_t from =
        before == std::string_view::npos ? start_of_values : std::max(start_of_values, before + 1);
    const std::string_view value = trimmed(line.substr(from, line.find_first_of(",]}#", from) - from));
    return value.find_first_of("\"'[]{}") == std::string_view::npos ? value : std::string_view{};
}

bool equal_but_for_case(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower,
                              [](char a, char b) {
                                  return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
                              }) &&
           text != lower;
}

bool is_word_or_measure(std::string_view value) {
    return std::ranges::any_of(value, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '%' || c == '<' || c == '>' ||
               c == '*' || c == ':';
    });
}

}  // namespace

std::string explain_mistake(std::string_view text, Position at, std::string_view description) {
    const auto says = [&](std::string_view part) { return description.find(part) != std::string_view::npos; };
    const std::string_view value = bare_value(line_of(text, at.line), at.column);

    if (equal_but_for_case(value, "true")) return in_quotes(value) + " is written true in TOML";
    if (equal_but_for_case(value, "false")) return in_quotes(value) + " is written false in TOML";
    const bool in_value = says("determine value type") || says("parsing boolean") || says("expected digit") ||
                          says("expected a comment or whitespace") || says("parsing floating-point") ||
                          says("parsing time") || says("parsing date");
    if (in_value && is_word_or_measure(value)) {
        const std::string example = value.size() > 60 ? "" : ": \"" + visible(value) + "\"";
        return in_quotes(value) + " is not a number, true or false; anything else stands in quotes" + example;
    }
    if (says("parsing string") && says("unescaped control") && breaks_at(text, at)) {
        return "this string is not closed on its line";
    }
    if (says("cannot redefine existing array") && says("as table")) {
        return std::string{
            "there are [[...]] tables of this name already; write two pairs of brackets here too"};
    }
    if (says("cannot redefine existing table") && says("as array-of-tables")) {
        return std::string{
            "there is a [...] table of this name already; write two pairs of brackets there too"};
    }

    constexpr std::string_view prefix = "Error while parsing ";
    std::string out;
    if (description.starts_with(prefix)) {
        out = "bad TOML in " + visible(description.substr(prefix.size()));
    } else {
        out = "bad TOML: " + visible(description);
    }
    if (says("cannot redefine existing")) out += "; a key or table stands once";
    if (says("not representable in 64 bits")) out += "; write a number this large as a string";
    return out;
}

}  // namespace cxlmemd::syntax
