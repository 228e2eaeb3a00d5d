// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace cxlmemctl {
namespace {

struct Decoded {
    std::uint32_t code = 0;
    std::size_t length = 0;  // 0: not UTF-8
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
    std::uint32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return {};
        code = code << 6U | (byte(i) & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return {};
    return {code, length};
}

// C0, C1, DEL; line and paragraph separators; whatever turns the direction of text; no-break marks.
bool harmful(std::uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0xfeff ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f);
}

std::string escaped(std::uint32_t code) {
    switch (code) {
        case '\n': return "\\n";
        case '\t': return "\\t";
        case '\r': return "\\r";
        default: return code <= 0xff ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
    }
}

}  // namespace

std::string escape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Decoded next = decode(text);
        if (next.length == 0) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
            text.remove_prefix(1);
            continue;
        }
        if (harmful(next.code)) {
            out += escaped(next.code);
        } else {
            out += text.substr(0, next.length);
        }
        text.remove_prefix(next.length);
    }
    return out;
}

bool is_bus_string(std::string_view text) {
    while (!text.empty()) {
        const Decoded next = decode(text);
        if (next.length == 0 || next.code == 0) return false;
        text.remove_prefix(next.length);
    }
    return true;
}

std::size_t width(std::string_view text) {
    std::size_t columns = 0;
    bool in_sequence = false;
    for (const char c : text) {
        if (c == '\x1b') in_sequence = true;
        const bool continuation = (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
        if (!in_sequence && !continuation) ++columns;
        if (in_sequence && c == 'm') in_sequence = false;
    }
    return columns;
}

namespace {

// What takes one column, behind the colours that are switched before it.
struct Glyph {
    std::string colours;
    std::string_view text;
};

std::vector<Glyph> glyphs_of(std::string_view text, std::string& colours_behind) {
    std::vector<Glyph> out;
    std::string colours;
    while (!text.empty()) {
        if (text.front() == '\x1b') {
            const std::size_t end = std::min(text.find('m'), text.size() - 1) + 1;
            colours += text.substr(0, end);
            text.remove_prefix(end);
            continue;
        }
        const std::size_t length = std::max<std::size_t>(decode(text).length, 1);
        out.push_back({std::exchange(colours, {}), text.substr(0, length)});
        text.remove_prefix(length);
    }
    colours_behind = std::move(colours);
    return out;
}

// Where a line that begins at `begin` ends, if it cannot take all.
std::size_t end_of_line(const std::vector<Glyph>& glyphs, std::size_t begin, std::size_t columns) {
    for (const std::string_view breaks : {" ", ",/"}) {
        for (std::size_t end = begin + columns; end > begin; --end) {
            const bool at_blank = breaks == " " && glyphs[end].text == " ";
            if (at_blank || breaks.find(glyphs[end - 1].text) != std::string_view::npos) return end;
        }
    }
    return begin + columns;
}

}  // namespace

std::vector<std::string> fold(std::string_view text, std::size_t columns) {
    std::string behind;
    const std::vector<Glyph> glyphs = glyphs_of(text, behind);
    std::vector<std::string> out;
    std::string colour;  // in force at the beginning of the line
    std::size_t begin = 0;
    do {
        const bool last = glyphs.size() - begin <= columns;
        const std::size_t end = last ? glyphs.size() : end_of_line(glyphs, begin, columns);
        std::string line = colour;
        for (std::size_t i = begin; i < end; ++i) {
            line += glyphs[i].colours;
            line += glyphs[i].text;
            if (!glyphs[i].colours.empty())
                colour = glyphs[i].colours.ends_with("[0m") ? "" : glyphs[i].colours;
        }
        while (!last && line.ends_with(' ')) line.pop_back();
        if (last) {
            line += behind;
        } else if (!colour.empty()) {
            line += "\x1b[0m";
        }
        out.push_back(std::move(line));
        begin = end;
        while (!last && begin < glyphs.size() && glyphs[begin].text == " ") {
            if (!glyphs[begin].colours.empty())
                colour = glyphs[begin].colours.ends_with("[0m") ? "" : glyphs[begin].colours;
            ++begin;
        }
    } while (begin < glyphs.size());
    return out;
}

std::size_t longest_word(std::string_view text) {
    std::string behind;
    std::size_t longest = 0;
    std::size_t length = 0;
    for (const Glyph& glyph : glyphs_of(text, behind)) {
        length = glyph.text == " " ? 0 : length + 1;
        longest = std::max(longest, length);
        if (glyph.text == "," || glyph.text == "/") length = 0;
    }
    return longest;
}

std::string Paint::operator()(Colour colour, std::string_view text) const {
    constexpr std::array<std::string_view, 6> codes = {"0", "1", "2", "32", "33", "31"};
    if (!on_ || colour == Colour::none || text.empty()) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", codes.at(static_cast<std::size_t>(colour)), text);
}

Colour colour_of(std::string_view word) {
    constexpr std::array<std::pair<std::string_view, Colour>, 17> colours = {{
        {"online", Colour::green},
        {"done", Colour::green},
        {"enforce", Colour::green},
        {"partial", Colour::yellow},
        {"working", Colour::yellow},
        {"observe", Colour::yellow},
        {"warning", Colour::yellow},
        {"mixed", Colour::yellow},
        {"canceled", Colour::yellow},
        {"running", Colour::yellow},
        {"degraded", Colour::red},
        {"error", Colour::red},
        {"failed", Colour::red},
        {"timeout", Colour::red},
        {"gone", Colour::red},
        {"blocked", Colour::red},
        {"offline", Colour::dim},
    }};
    for (const auto& [name, colour] : colours) {
        if (name == word) return colour;
    }
    return Colour::none;
}

}  // namespace cxlmemctl
