// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "policy/text.h"

namespace cxlmemd {

std::string to_string(const Problem& problem) {
    const char* severity = problem.severity == Severity::error ? "error" : "warning";
    const Place& at = problem.place;
    const std::string file = visible(at.file);
    if (at.line == 0) return fmt::format("{}: {}: {}", file, severity, problem.message);
    return fmt::format("{}:{}:{}: {}: {}", file, at.line, at.column, severity, problem.message);
}

bool has_errors(const std::vector<Problem>& problems) {
    return std::ranges::any_of(problems, [](const Problem& p) { return p.severity == Severity::error; });
}

std::string_view to_string(ModeWish wish) {
    switch (wish) {
        case ModeWish::system_ram: return "system-ram";
        case ModeWish::devdax: return "devdax";
        case ModeWish::famfs: return "famfs";
        case ModeWish::ignore: return "ignore";
    }
    return "system-ram";
}

std::string_view to_string(ZoneWish wish) {
    switch (wish) {
        case ZoneWish::movable: return "movable";
        case ZoneWish::kernel: return "kernel";
        case ZoneWish::automatic: return "auto";
    }
    return "movable";
}

std::string to_string(const Amount& amount) {
    struct Words {
        std::string operator()(AmountAll) const { return "all"; }
        std::string operator()(AmountNone) const { return "none"; }
        std::string operator()(AmountPercent p) const { return fmt::format("{}%", p.percent); }
        std::string operator()(AmountBytes b) const { return format_size(b.bytes); }
    };
    return std::visit(Words{}, amount);
}

std::string format_size(Bytes bytes) {
    constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::uint64_t number = bytes.value();
    std::size_t unit = 0;
    while (number != 0 && number % 1024 == 0 && unit + 1 < units.size()) {
        number /= 1024;
        ++unit;
    }
    return fmt::format("{}{}", number, units[unit]);
}

}  // namespace cxlmemd
