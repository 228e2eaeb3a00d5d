// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/hold_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "daemon/small_file.h"

namespace cxlmemd {

namespace {

constexpr std::string_view head = "cxlmemd-holds ";
constexpr std::uint32_t version = 2;
constexpr std::string_view end_line = "end";
constexpr std::string_view nothing = "-";

Error not_understood(const std::filesystem::path& file, std::string reason, std::string advice) {
    return {.code = ErrorCode::failed,
            .object = file.string(),
            .operation = "read",
            .errnum = 0,
            .reason = std::move(reason),
            .advice = std::move(advice)};
}

template <class T>
std::optional<T> number(std::string_view text, int base) {
    T out{};
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    if (text.empty() || wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return out;
}

// Takes the word up to the next space.
std::string_view word(std::string_view& line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view out = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    return out;
}

// A host is text from the kernel or from an emulator's file: no line may end inside it.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || c == '%') {
            out += fmt::format("%{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

std::optional<std::string> unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto byte = number<unsigned char>(text.substr(i + 1, 2), 16);
        if (!byte || text.size() < i + 3) return std::nullopt;
        out += static_cast<char>(*byte);
        i += 2;
    }
    return out;
}

std::string or_nothing(const std::string& text) {
    return text.empty() ? std::string{nothing} : text;
}

std::string or_empty(std::string_view text) {
    return text == nothing ? std::string{} : std::string{text};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) out.push_back(line);
    return out;
}

bool is_key(std::string_view key) {
    constexpr std::string_view at = " at 0x";
    const std::size_t place = key.rfind(at);
    if (place == std::string_view::npos || !number<std::uint64_t>(key.substr(place + at.size()), 16))
        return false;
    const std::string_view who = key.substr(0, place);
    constexpr std::array<std::string_view, 4> kinds{"cxl-ram", "cxl-pmem", "hmem", "pmem"};
    return who.starts_with("serials 0x") || std::ranges::find(kinds, who) != kinds.end();
}

// SERIAL BOOT GENERATION [JOB] HOST
bool read_card(std::string_view line, CardState state, HoldPage& page) {
    const std::string_view serial_text = word(line);
    if (!serial_text.starts_with("0x")) return false;
    const auto serial = number<std::uint64_t>(serial_text.substr(2), 16);
    HoldPage::Card card{.state = state, .boot = or_empty(word(line)), .generation = 0, .job = 0};
    const auto generation = number<std::uint64_t>(word(line), 10);
    const auto job = state == CardState::emptying ? number<std::uint32_t>(word(line), 10) : 0U;
    const auto host = unescaped(line);
    if (!serial || !generation || !job || !host || host->empty()) return false;
    card.generation = *generation;
    card.job = *job;
    return page.cards.emplace(CardKey{*serial, or_empty(*host)}, card).second;
}

bool read_line(std::string_view line, HoldPage& page) {
    const std::string_view what = word(line);
    if (what == "ready") return read_card(line, CardState::ready, page);
    if (what == "emptying") return read_card(line, CardState::emptying, page);
    std::string leaving;
    if (what == "leaving") leaving = word(line);
    if (what != "hold" && (what != "leaving" || leaving.empty())) return false;
    const auto key = unescaped(line);
    return key && is_key(*key) && page.devices.emplace(*key, leaving).second;
}

Result<HoldPage> read_page(const std::filesystem::path& file, const std::vector<std::string>& lines) {
    const auto written = number<std::uint32_t>(std::string_view{lines.front()}.substr(head.size()), 10);
    if (written && *written > version) {
        return fail(not_understood(file,
                                   fmt::format("it was written by a newer cxlmemd (version {})", *written),
                                   "install that version again, or delete the file to hold nothing"));
    }
    HoldPage out;
    bool is_good = written == version && lines.back() == end_line;
    for (std::size_t i = 1; is_good && i + 1 < lines.size(); ++i) is_good = read_line(lines[i], out);
    if (is_good && lines.size() > 1) return out;
    return fail(not_understood(file, "it is damaged", "mend it, or delete it to hold nothing"));
}

Result<HoldPage> read_old_pages(const std::filesystem::path& file, const std::vector<std::string>& held,
                                const std::filesystem::path& old_file,
                                const std::vector<std::string>& prepared) {
    HoldPage out;
    for (const std::string& line : held) {
        if (line.empty()) continue;
        if (!is_key(line))
            return fail(not_understood(file, "it is damaged", "mend it, or delete it to hold nothing"));
        out.devices.emplace(line, "");
    }
    for (const std::string& line : prepared) {
        if (line.empty()) continue;
        std::string_view rest = line;
        const auto serial = number<std::uint64_t>(word(rest), 10);
        if (!serial || (rest != nothing && !is_key(rest))) {
            return fail(not_understood(old_file, "it is damaged",
                                       "mend it, or delete it: then no card is prepared for its removal"));
        }
        // The card's mark holds what stands on it; what an administrator held before is not in here.
        out.cards.emplace(CardKey{*serial, ""}, HoldPage::Card{});
        out.devices.erase(std::string{rest});
    }
    return out;
}

}  // namespace

Result<HoldFile> read_hold_file(const std::filesystem::path& file, const std::filesystem::path& old_file) {
    const auto text = read_small_file(file);
    if (!text) return fail(text.error());
    HoldFile out;
    const auto lines = lines_of(text->value_or(""));
    const bool is_new = !lines.empty() && lines.front().starts_with(head);
    const auto old_text = read_small_file(old_file);
    if (!old_text && !is_new) return fail(old_text.error());
    out.has_old_file = !old_text || old_text->has_value();
    out.is_old = !is_new && (text->has_value() || out.has_old_file);
    auto page = is_new ? read_page(file, lines)
                       : read_old_pages(file, lines, old_file, lines_of(old_text->value_or("")));
    if (!page) return fail(page.error());
    out.page = std::move(*page);
    return out;
}

std::string text_of(const HoldPage& page) {
    std::string out = fmt::format("{}{}\n", head, version);
    for (const auto& [key, leaving] : page.devices) {
        out += leaving.empty() ? fmt::format("hold {}\n", escaped(key))
                               : fmt::format("leaving {} {}\n", leaving, escaped(key));
    }
    for (const auto& [card, mark] : page.cards) {
        const bool emptying = mark.state == CardState::emptying;
        out += fmt::format("{} {:#x} {} {} {}{}\n", emptying ? "emptying" : "ready", card.serial,
                           or_nothing(mark.boot), mark.generation,
                           emptying ? fmt::format("{} ", mark.job) : "", escaped(or_nothing(card.host)));
    }
    return out + std::string{end_line} + "\n";
}

}  // namespace cxlmemd
