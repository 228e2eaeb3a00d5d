// SPDX-License-Identifier: LGPL-2.1-or-later
// Strings on their way to a terminal.
//
// Nothing that came over the bus, from a file or from the command line is printed without escape().
#pragma once

#include <string>
#include <string_view>

namespace cxlmemctl {

// Control characters, invalid UTF-8, line separators and direction overrides as \n, \x1b, \u202e.
[[nodiscard]] std::string escape(std::string_view text);

// True if `text` is UTF-8 without NUL: what a D-Bus string may carry.
[[nodiscard]] bool is_bus_string(std::string_view text);

// Columns that `text` takes: code points, without the colour sequences of Paint.
[[nodiscard]] std::size_t width(std::string_view text);

enum class Colour { none, bold, dim, green, yellow, red };

// Colours text, or leaves it alone. Apply after escape().
class Paint final {
 public:
    explicit Paint(bool on) : on_(on) {}
    [[nodiscard]] std::string operator()(Colour colour, std::string_view text) const;
    [[nodiscard]] bool on() const { return on_; }

 private:
    bool on_;
};

// The colour in which a state, mode, severity or job result is shown.
[[nodiscard]] Colour colour_of(std::string_view word);

}  // namespace cxlmemctl
