// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/times.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <ctime>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace cxlmemctl {
namespace {

constexpr std::uint64_t second = 1'000'000;
constexpr std::uint64_t most = std::uint64_t{1} << 62U;

struct Unit {
    std::string_view name;
    std::uint64_t usec;
};
// As systemd.time(7); a month and a year as it reckons them.
constexpr Unit units[] = {
    {"us", 1},
    {"usec", 1},
    {"ms", 1000},
    {"msec", 1000},
    {"s", second},
    {"sec", second},
    {"second", second},
    {"seconds", second},
    {"m", 60 * second},
    {"min", 60 * second},
    {"minute", 60 * second},
    {"minutes", 60 * second},
    {"h", 3600 * second},
    {"hr", 3600 * second},
    {"hour", 3600 * second},
    {"hours", 3600 * second},
    {"d", 86400 * second},
    {"day", 86400 * second},
    {"days", 86400 * second},
    {"w", 604800 * second},
    {"week", 604800 * second},
    {"weeks", 604800 * second},
    {"month", 2629800 * second},
    {"months", 2629800 * second},
    {"y", 31557600 * second},
    {"year", 31557600 * second},
    {"years", 31557600 * second},
};

void skip_blanks(std::string_view& text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
}

std::optional<std::uint64_t> take_number(std::string_view& text, std::size_t longest = 18) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto length = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || length > longest) return std::nullopt;
    text.remove_prefix(length);
    return value;
}

// ".5" as microseconds; 0 if there is none.
std::uint64_t take_fraction(std::string_view& text) {
    if (!text.starts_with('.')) return 0;
    text.remove_prefix(1);
    std::uint64_t out = 0;
    std::uint64_t unit = second / 10;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        out += static_cast<std::uint64_t>(text.front() - '0') * unit;
        unit /= 10;
        text.remove_prefix(1);
    }
    return out;
}

bool take(std::string_view& text, char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

// "1h 30min"
std::optional<std::uint64_t> span(std::string_view text) {
    std::uint64_t sum = 0;
    bool any = false;
    for (skip_blanks(text); !text.empty(); skip_blanks(text)) {
        const auto number = take_number(text);
        if (!number) return std::nullopt;
        const std::uint64_t millionths = take_fraction(text);
        skip_blanks(text);
        std::size_t length = 0;
        while (length < text.size() && std::isalpha(static_cast<unsigned char>(text[length])) != 0) ++length;
        const std::string_view word = length == 0 ? "s" : text.substr(0, length);
        const Unit* unit = nullptr;
        for (const Unit& each : units) {
            if (each.name == word) unit = &each;
        }
        if (unit == nullptr || *number > most / unit->usec / 4) return std::nullopt;
        sum += *number * unit->usec + static_cast<std::uint64_t>(static_cast<double>(millionths) *
                                                                 static_cast<double>(unit->usec) / 1e6);
        if (sum > most) return std::nullopt;
        text.remove_prefix(length);
        any = true;
    }
    return any ? std::optional{sum} : std::nullopt;
}

// Hours, minutes and seconds into `out`; microseconds as the value.
std::optional<std::uint64_t> clock(std::string_view& text, tm& out) {
    const auto hours = take_number(text, 2);
    if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
    const auto minutes = take_number(text, 2);
    if (!minutes || *minutes > 59) return std::nullopt;
    std::uint64_t seconds = 0;
    std::uint64_t usec = 0;
    if (take(text, ':')) {
        const auto number = take_number(text, 2);
        if (!number || *number > 60) return std::nullopt;
        seconds = *number;
        usec = take_fraction(text);
    }
    out.tm_hour = static_cast<int>(*hours);
    out.tm_min = static_cast<int>(*minutes);
    out.tm_sec = static_cast<int>(seconds);
    return usec;
}

bool date(std::string_view& text, tm& out) {
    const auto year = take_number(text, 4);
    if (!year || *year < 1970 || !take(text, '-')) return false;
    const auto month = take_number(text, 2);
    if (!month || *month < 1 || *month > 12 || !take(text, '-')) return false;
    const auto day = take_number(text, 2);
    if (!day || *day < 1 || *day > 31) return false;
    out.tm_year = static_cast<int>(*year) - 1900;
    out.tm_mon = static_cast<int>(*month) - 1;
    out.tm_mday = static_cast<int>(*day);
    return true;
}

// A date, a time of the day, or both.
std::optional<std::uint64_t> calendar(std::string_view text, std::uint64_t now_usec) {
    bool utc = false;
    for (const std::string_view zone : {std::string_view{"UTC"}, std::string_view{"Z"}}) {
        if (text.ends_with(zone)) {
            utc = true;
            text.remove_suffix(zone.size());
            skip_blanks(text);
        }
    }
    const auto now = static_cast<time_t>(now_usec / second);
    tm parts{};
    utc ? ::gmtime_r(&now, &parts) : ::localtime_r(&now, &parts);
    parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
    parts.tm_isdst = -1;
    std::uint64_t usec = 0;
    bool needs_clock = true;
    tm day = parts;
    if (std::string_view rest = text; rest == "today" || rest == "yesterday") {
        if (rest == "yesterday") --parts.tm_mday;
        text = {};
        needs_clock = false;
    } else if (date(rest, day)) {
        parts = day;
        text = rest;
        needs_clock = false;
        if (take(text, 'T')) needs_clock = true;
        skip_blanks(text);
    }
    if (needs_clock || !text.empty()) {
        const auto fraction = clock(text, parts);
        if (!fraction || !text.empty()) return std::nullopt;
        usec = *fraction;
    }
    const int mday = parts.tm_mday;
    const time_t seconds = utc ? ::timegm(&parts) : ::mktime(&parts);
    // 31 February is no day; yesterday of the first is one.
    if (seconds < 0 || (mday > 0 && parts.tm_mday != mday)) return std::nullopt;
    return static_cast<std::uint64_t>(seconds) * second + usec;
}

std::optional<std::uint64_t> point(std::string_view text, std::uint64_t now_usec) {
    skip_blanks(text);
    if (text == "now") return now_usec;
    if (take(text, '@')) {
        const auto seconds = take_number(text, 12);
        if (!seconds) return std::nullopt;
        const std::uint64_t usec = take_fraction(text);
        return text.empty() ? std::optional{*seconds * second + usec} : std::nullopt;
    }
    std::optional<std::uint64_t> ago;
    if (take(text, '-')) {
        ago = span(text);
    } else if (text.ends_with(" ago")) {
        ago = span(text.substr(0, text.size() - 4));
    } else {
        return calendar(text, now_usec);
    }
    if (!ago) return std::nullopt;
    return *ago > now_usec ? 0 : now_usec - *ago;
}

}  // namespace

std::uint64_t realtime_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

Result<std::uint64_t> parse_time(std::string_view text, std::uint64_t now_usec) {
    const auto found = point(text, now_usec);
    if (!found) {
        return fail(
            Exit::usage,
            fmt::format("'{}' is not a time: write it as \"1 hour ago\", \"2026-11-28 13:00\" or @SECONDS",
                        text));
    }
    if (*found > now_usec) return fail(Exit::usage, fmt::format("'{}' is in the future", text));
    return *found;
}

}  // namespace cxlmemctl
