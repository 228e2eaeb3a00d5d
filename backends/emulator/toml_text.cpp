// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/toml_text.h"

#include <fmt/ranges.h>

#include <array>
#include <limits>
#include <optional>
#include <utility>

namespace cxlmemd::emulator {

namespace {

struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
};

// The character that the text begins with; nullopt if that is not UTF-8 (RFC 3629).
std::optional<Character> first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) return Character{byte(0), 1};
    const std::size_t bytes = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
    if (byte(0) < 0xc2 || byte(0) > 0xf4 || bytes > text.size()) return std::nullopt;
    char32_t code = byte(0) & (0xffU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return std::nullopt;
        code = (code << 6) | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least.at(bytes) || code > 0x10ffff || surrogate) return std::nullopt;
    return Character{code, bytes};
}

// Control characters, line and paragraph separators, and what turns the direction of text: they would do
// something to a terminal.
bool is_control(char32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c || code == 0xfeff ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f);
}

// The text with every character that is no plain one as `odd` writes it; nullopt: it is not UTF-8 at all.
template <class Odd>
std::string with_odd_ones(std::string_view text, Odd odd) {
    std::string out;
    while (!text.empty()) {
        const std::optional<Character> character = first_character(text);
        const std::size_t bytes = character ? character->bytes : 1;
        if (const auto instead = odd(character); instead) {
            out += *instead;
        } else {
            out += text.substr(0, bytes);
        }
        text.remove_prefix(bytes);
    }
    return out;
}

}  // namespace

std::string TomlText::printable(std::string_view text) {
    return with_odd_ones(text, [](const std::optional<Character>& c) {
        return !c || is_control(c->code) ? std::optional<std::string>{"?"} : std::nullopt;
    });
}

std::string TomlText::quoted(std::string_view text) {
    const auto escape = [](const std::optional<Character>& c) -> std::optional<std::string> {
        if (!c) return "?";
        if (c->code == '"' || c->code == '\\') return fmt::format("\\{}", static_cast<char>(c->code));
        if (is_control(c->code)) return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c->code));
        return std::nullopt;
    };
    return "\"" + with_odd_ones(text, escape) + "\"";
}

void TomlText::hex(std::string_view key, std::uint64_t value) {
    const bool fits = value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    line(key, fits ? fmt::format("{:#x}", value) : fmt::format("\"{:#x}\"", value));
}

void TomlText::texts(std::string_view key, const std::vector<std::string>& values) {
    std::vector<std::string> written;
    written.reserve(values.size());
    for (const std::string& value : values) written.push_back(quoted(value));
    list(key, written);
}

void TomlText::list(std::string_view key, const std::vector<std::string>& values) {
    line(key, fmt::format("[{}]", fmt::join(values, ", ")));
}

void TomlText::table(std::string_view key, const std::vector<std::string>& pairs) {
    line(key, pairs.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(pairs, ", ")));
}

std::string TomlText::size_value(Bytes size) {
    constexpr std::array<std::pair<std::string_view, unsigned>, 4> units{
        {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
    for (const auto& [unit, bits] : units) {
        const std::uint64_t number = size.value() >> bits;
        if (number != 0 && number << bits == size.value()) return fmt::format("\"{}{}\"", number, unit);
    }
    return fmt::format("{}", size.value());
}

}  // namespace cxlmemd::emulator
