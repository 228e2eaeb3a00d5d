// SPDX-License-Identifier: LGPL-2.1-or-later
// Text -> spanned syntax: a TOML document as a tree of plain values, each with its place, keys in the
// order in which they were written. Knows TOML and the limits of compile.h, nothing of rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/compile.h"

namespace cxlmemd {
class Report;
}

namespace cxlmemd::syntax {

// Counted from 1; columns count characters, not bytes. 0 is "the file as a whole".
struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    bool operator==(const Position&) const = default;
};

// A value that broke a limit and has been reported; checkers pass over it.
struct Refused {};
struct DateOrTime {};

struct Value;
struct Entry;
using List = std::vector<Value>;
struct Table {
    std::vector<Entry> entries;
};

struct Value {
    Position at;
    std::variant<Refused, bool, std::int64_t, double, std::string, DateOrTime, List, Table> data;

    template <class T>
    [[nodiscard]] const T* as() const {
        return std::get_if<T>(&data);
    }
};

struct Entry {
    std::string key;
    Position at;  // of the key
    Value value;
};

// "a string", "an integer", "a list", ... for messages.
[[nodiscard]] std::string_view type_name(const Value& value);

// The root table; nullopt if the text is no TOML or too large or too deep, which is then reported.
// Strings and lists beyond their limits are reported each, and become Refused.
[[nodiscard]] std::optional<Table> parse(std::string_view text, Report& report);

}  // namespace cxlmemd::syntax
