// SPDX-License-Identifier: LGPL-2.1-or-later
// Strings on their way to a terminal.
//
// Nothing that came over the bus, from a file or from the command line is printed without escape().
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cxlmemctl {

// Control characters, invalid UTF-8, line separators and direction overrides as \n, \x1b, \u202e.
[[nodiscard]] std::string escape(std::string_view text);

// True if `text` is UTF-8 without NUL: what a D-Bus string may carry.
[[nodiscard]] bool is_bus_string(std::string_view text);

// Columns that `text` takes: code points, without the colour sequences of Paint.
[[nodiscard]] std::size_t width(std::string_view text);

// Lines of at most `columns` (1 or more), broken at blanks, else behind commas and slashes, else anywhere;
// colours go on behind a break. Nothing is lost but the blanks at which it is broken.
[[nodiscard]] std::vector<std::string> fold(std::string_view text, std::size_t columns);

// The columns of the longest part that fold() breaks only if it has to.
[[nodiscard]] std::size_t longest_word(std::string_view text);

enum class Colour { none, bold, dim, green, yellow, red };

// What may be done to text for the place where it goes: colours, and how wide it is. Apply after escape().
class Paint final {
 public:
    // `columns`: of the terminal; 0: it is none, and lines are as long as they are.
    explicit Paint(bool on, std::size_t columns = 0) : on_(on), columns_(columns) {}
    [[nodiscard]] std::string operator()(Colour colour, std::string_view text) const;
    [[nodiscard]] bool on() const { return on_; }
    [[nodiscard]] std::size_t columns() const { return columns_; }

 private:
    bool on_;
    std::size_t columns_;
};

// The colour in which a state, mode, severity or job result is shown.
[[nodiscard]] Colour colour_of(std::string_view word);

}  // namespace cxlmemctl
