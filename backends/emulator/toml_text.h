// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines of TOML: keys with values, and the headers of tables.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "policy/units.h"

namespace cxlmemd::emulator {

class TomlText final {
 public:
    void section(std::string_view header) { out_ += fmt::format("\n{}\n", header); }
    void text(std::string_view key, std::string_view value) { line(key, quoted(value)); }
    void truth(std::string_view key, bool value) { line(key, value ? "true" : "false"); }
    template <std::integral Number>
    void number(std::string_view key, Number value) {
        line(key, fmt::format("{}", value));
    }
    // A string where it is more than TOML's integers hold.
    void hex(std::string_view key, std::uint64_t value);
    void size(std::string_view key, Bytes value) { line(key, size_value(value)); }
    void texts(std::string_view key, const std::vector<std::string>& values);
    void list(std::string_view key, const std::vector<std::string>& values);
    // Of "key = value" pairs, on one line.
    void table(std::string_view key, const std::vector<std::string>& pairs);

    [[nodiscard]] std::string take() { return std::move(out_); }

    // 4294967296 is "4GiB" with its quotes; a size that no unit divides is a number.
    [[nodiscard]] static std::string size_value(Bytes size);
    // Well-formed UTF-8 without control characters: what is not is '?'.
    [[nodiscard]] static std::string printable(std::string_view text);

 private:
    [[nodiscard]] static std::string quoted(std::string_view text);
    void line(std::string_view key, std::string_view value) { out_ += fmt::format("{} = {}\n", key, value); }

    std::string out_;
};

}  // namespace cxlmemd::emulator
