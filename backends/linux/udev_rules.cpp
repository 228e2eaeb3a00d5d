// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/udev_rules.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace cxlmemd {

namespace {

constexpr std::string_view blanks = " \t\r";

void skip(std::string_view& text, std::string_view characters) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(characters)));
}

std::optional<UdevOperator> take_operator(std::string_view& text) {
    constexpr std::array operators{std::pair{std::string_view{"=="}, UdevOperator::match},
                                   std::pair{std::string_view{"!="}, UdevOperator::no_match},
                                   std::pair{std::string_view{"+="}, UdevOperator::add},
                                   std::pair{std::string_view{"-="}, UdevOperator::remove},
                                   std::pair{std::string_view{":="}, UdevOperator::assign_final},
                                   std::pair{std::string_view{"="}, UdevOperator::assign}};
    for (const auto& [sign, op] : operators) {
        if (!text.starts_with(sign)) continue;
        text.remove_prefix(sign.size());
        return op;
    }
    return std::nullopt;
}

// The text between quotes; a quote may be escaped. A leading e has C's escapes resolved, none of which
// matters to a word.
std::optional<std::string> take_value(std::string_view& text) {
    const bool escapes = text.starts_with('e');
    if (escapes) text.remove_prefix(1);
    if (!text.starts_with('"')) return std::nullopt;
    text.remove_prefix(1);
    std::string out;
    while (!text.empty() && text.front() != '"') {
        const bool escaped = text.front() == '\\' && text.size() > 1 && (escapes || text[1] == '"');
        if (escaped) text.remove_prefix(1);
        out += text.front();
        text.remove_prefix(1);
    }
    if (text.empty()) return std::nullopt;
    text.remove_prefix(1);
    return out;
}

std::optional<UdevToken> take_token(std::string_view& text) {
    UdevToken out;
    const std::size_t end = text.find_first_of(" \t\r={+-!:,");
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    out.key = text.substr(0, end);
    text.remove_prefix(end);
    if (text.starts_with('{')) {
        const std::size_t close = text.find('}');
        if (close == std::string_view::npos) return std::nullopt;
        out.attribute = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
    }
    skip(text, blanks);
    const auto op = take_operator(text);
    if (!op) return std::nullopt;
    out.op = *op;
    skip(text, blanks);
    auto value = take_value(text);
    if (!value) return std::nullopt;
    out.value = std::move(*value);
    return out;
}

// nullopt: udev would refuse the line.
std::optional<std::vector<UdevToken>> tokens_of(std::string_view text) {
    std::vector<UdevToken> out;
    for (skip(text, " \t\r,"); !text.empty(); skip(text, " \t\r,")) {
        auto token = take_token(text);
        if (!token) return std::nullopt;
        out.push_back(std::move(*token));
    }
    return out;
}

}  // namespace

std::vector<UdevLine> udev_lines(std::string_view text) {
    std::vector<UdevLine> out;
    std::string joined;
    std::size_t begun = 0;  // 0: no line goes on
    const auto finish = [&] {
        if (auto tokens = tokens_of(joined); tokens && !tokens->empty())
            out.push_back({begun, std::move(*tokens)});
        joined.clear();
        begun = 0;
    };
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        skip(line, blanks);
        if (line.starts_with('#')) continue;  // within a line that goes on as well
        if (begun == 0) begun = number;
        const bool goes_on = line.ends_with('\\');
        joined += goes_on ? line.substr(0, line.size() - 1) : line;
        if (!goes_on) finish();
    }
    if (begun != 0) finish();
    return out;
}

namespace {

enum class Truth : std::uint8_t { no, maybe, yes };

// What udev tells of when a memory block comes, goes online or offline.
constexpr std::array<std::string_view, 3> actions{"add", "online", "offline"};
constexpr std::size_t appears = 0;
constexpr std::size_t goes_offline = 2;
using ActionSet = std::array<bool, actions.size()>;

// As udev asks (udev-rules.c, token_match_string()).
bool glob_fits(const std::string& pattern, const std::string& text) {
    return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

std::vector<std::string> alternatives(std::string_view value) {
    std::vector<std::string> out;
    while (true) {
        const std::size_t bar = value.find('|');
        out.emplace_back(value.substr(0, bar));
        if (bar == std::string_view::npos) return out;
        value.remove_prefix(bar + 1);
    }
}

Truth fits_word(std::string_view value, const std::string& word) {
    return std::ranges::any_of(alternatives(value),
                               [&](const std::string& each) { return glob_fits(each, word); })
               ? Truth::yes
               : Truth::no;
}

// Whether the pattern fits the names of memory blocks, which begin so and end in a number.
Truth fits_blocks(std::string_view value, const std::string& prefix) {
    Truth out = Truth::no;
    for (const std::string& each : alternatives(value)) {
        const bool all = glob_fits(each, prefix + "0") && glob_fits(each, prefix + "42") &&
                         glob_fits(each, prefix + "131071");
        if (all) return Truth::yes;
        const std::string_view literal = std::string_view{each}.substr(0, each.find_first_of("*?["));
        const bool has_pattern = literal.size() != each.size();
        if (literal.starts_with(prefix) || (has_pattern && prefix.starts_with(literal))) out = Truth::maybe;
    }
    return out;
}

Truth negated(Truth truth) {
    if (truth == Truth::maybe) return truth;
    return truth == Truth::yes ? Truth::no : Truth::yes;
}

// What of the device a comparison asks for, as far as it is known of every memory block.
Truth compare(const UdevToken& token, std::string_view action) {
    const bool env = token.key == "ENV";
    Truth out = Truth::maybe;
    if (token.key == "ACTION" || (env && token.attribute == "ACTION")) {
        out = fits_word(token.value, std::string{action});
    } else if (token.key == "SUBSYSTEM" || token.key == "SUBSYSTEMS" ||
               (env && token.attribute == "SUBSYSTEM")) {
        out = fits_word(token.value, "memory");
    } else if (token.key == "KERNEL" || token.key == "KERNELS") {
        out = fits_blocks(token.value, "memory");
    } else if (token.key == "DEVPATH" || (env && token.attribute == "DEVPATH")) {
        out = fits_blocks(token.value, "/devices/system/memory/memory");
    }
    return token.op == UdevOperator::no_match ? negated(out) : out;
}

Truth holds(const UdevLine& line, std::string_view action) {
    Truth out = Truth::yes;
    for (const UdevToken& token : line.tokens) {
        // A program's end is a comparison too.
        const bool asks = token.compares() || token.key == "PROGRAM" || token.key == "IMPORT";
        if (asks) out = std::min(out, token.compares() ? compare(token, action) : Truth::maybe);
    }
    return out;
}

const UdevToken* find_key(const UdevLine& line, std::string_view key) {
    const auto it = std::ranges::find(line.tokens, key, &UdevToken::key);
    return it == line.tokens.end() ? nullptr : &*it;
}

// For each line, on which actions of a memory block it may be come to. A GOTO leads forward only.
std::vector<ActionSet> reached_lines(const std::vector<UdevLine>& lines) {
    std::vector<ActionSet> out(lines.size(), ActionSet{});
    for (std::size_t a = 0; a < actions.size(); ++a) {
        std::set<std::string> awaited;
        bool here = true;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const UdevToken* label = find_key(lines[i], "LABEL");
            if (label != nullptr && awaited.contains(label->value)) here = true;
            const Truth truth = holds(lines[i], actions[a]);
            out[i][a] = here && truth != Truth::no;
            const UdevToken* jump = find_key(lines[i], "GOTO");
            if (!out[i][a] || jump == nullptr) continue;
            awaited.insert(jump->value);
            if (truth == Truth::yes) here = false;
        }
    }
    return out;
}

bool speaks_of_memory(const UdevLine& line) {
    return std::ranges::any_of(line.tokens, [](const UdevToken& token) {
        const bool names = token.key == "SUBSYSTEM" || token.key == "SUBSYSTEMS" || token.key == "KERNEL" ||
                           token.key == "KERNELS" || token.key == "DEVPATH" || token.key == "ENV";
        return token.compares() && names && token.value.find("memory") != std::string::npos;
    });
}

// Of a value with a variable in it, what the file assigns to that variable; else itself.
std::vector<std::string> possible_values(const std::vector<UdevLine>& lines, const std::string& value) {
    std::string_view name{value};
    for (const std::string_view start : {"$env{", "%E{"}) {
        if (name.starts_with(start) && name.ends_with('}')) {
            name.remove_prefix(start.size());
            name.remove_suffix(1);
            break;
        }
    }
    std::vector<std::string> out;
    if (name.size() == value.size()) return {value};
    for (const UdevLine& line : lines) {
        for (const UdevToken& token : line.tokens) {
            if (token.key == "ENV" && token.attribute == name && !token.compares())
                out.push_back(token.value);
        }
    }
    return out;
}

Zone zone_of_word(std::string_view value) {
    if (value.find("online_movable") != std::string_view::npos) return Zone::movable;
    // As the kernel does with "online" unless told otherwise at boot.
    return value.find("online") != std::string_view::npos ? Zone::kernel : Zone::none;
}

class FileReader final {
 public:
    FileReader(const std::string& path, std::string_view text)
        : path_(path),
          lines_(udev_lines(text)),
          reached_(reached_lines(lines_)),
          of_memory_(std::ranges::any_of(lines_, speaks_of_memory)) {}

    std::vector<Competitor> run() {
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            for (const UdevToken& token : lines_[i].tokens) look(i, token);
        }
        return std::move(found_);
    }

 private:
    void look(std::size_t line, const UdevToken& token) {
        const bool on_some = std::ranges::find(reached_[line], true) != reached_[line].end();
        const bool writes = !token.compares() && (token.key == "ATTR" || token.key == "SYSCTL");
        // Any device's event may write the kernel's own setting.
        if (writes && token.attribute.find("auto_online_blocks") != std::string::npos) {
            if (token.value != "offline")
                add(line, "a udev rule that writes auto_online_blocks", zone_of_word(token.value));
        } else if (writes && token.attribute == "state" && on_some) {
            add_state(line, token.value);
        } else if (is_program(token)) {
            add_program(line, token.value, on_some);
        }
    }

    static bool is_program(const UdevToken& token) {
        if (token.value.empty()) return false;
        if (token.key == "PROGRAM") return true;
        if (token.key == "IMPORT") return token.attribute == "program";
        return token.key == "RUN" && !token.compares() && token.attribute != "builtin";
    }

    void add_state(std::size_t line, const std::string& value) {
        // A file that does not speak of memory may mean another device's state.
        if (!of_memory_ && !value.starts_with("online")) return;
        std::vector<std::string> values = possible_values(lines_, value);
        const bool known = !values.empty();
        std::erase(values, "offline");
        if (known && values.empty()) return;
        const auto zone = [](const std::string& each) { return zone_of_word(each); };
        const bool alike = known && std::ranges::all_of(values, [&](const std::string& each) {
                               return zone(each) == zone(values.front());
                           });
        add(line, "a udev rule", alike ? zone(values.front()) : Zone::none);
    }

    void add_program(std::size_t line, const std::string& text, bool on_some) {
        const auto names = [&](std::string_view word) { return text.find(word) != std::string::npos; };
        if (names("auto_online_blocks")) {
            add(line, "a udev rule that writes auto_online_blocks", zone_of_word(text));
            return;
        }
        if (!of_memory_ || !on_some) return;
        if (names("kdump") || names("kexec")) {
            add(line, "a udev rule that reloads the crash kernel", Zone::none, CompetitorKind::crash_dump);
            return;
        }
        // What only tells where this is runs before every block all the same, and changes nothing.
        if (names("/uname") || names("systemd-detect-virt")) return;
        const ActionSet& on = reached_[line];
        if (names("online") && (on[appears] || on[goes_offline])) {
            add(line, "a udev rule that runs a command", zone_of_word(text));
        } else if (on[appears]) {
            add(line, "a udev rule that runs a program", Zone::none, CompetitorKind::may_online);
        } else {
            add(line, "a udev rule that runs a program", Zone::none, CompetitorKind::block_by_block);
        }
    }

    // A line with two such programs is one competitor.
    void add(std::size_t line, const char* what, Zone zone, CompetitorKind kind = CompetitorKind::onlines) {
        Competitor next{path_ + ":" + std::to_string(lines_[line].number), what, zone, kind};
        if (found_.empty() || found_.back() != next) found_.push_back(std::move(next));
    }

    const std::string& path_;
    std::vector<UdevLine> lines_;
    std::vector<ActionSet> reached_;
    bool of_memory_;
    std::vector<Competitor> found_;
};

}  // namespace

std::vector<Competitor> competitors_in_udev_rules(const std::string& path, std::string_view text) {
    return FileReader{path, text}.run();
}

}  // namespace cxlmemd
