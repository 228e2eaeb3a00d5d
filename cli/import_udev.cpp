// SPDX-License-Identifier: LGPL-2.1-or-later
// udev rules that bring memory blocks online, read as udev(7) says: what they write when a block is added is
// found by going through them, once as on bare metal and once as in a virtual machine.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "cli/import.h"

namespace cxlmemctl {
namespace {

struct Token {
    std::string key;
    std::string attribute;
    std::string op;
    std::string value;
    [[nodiscard]] bool compares() const { return op == "==" || op == "!="; }
};

struct Line {
    std::size_t number = 0;
    std::vector<Token> tokens;
};

bool is_key_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// KEY{attribute}op"value"; nothing if that is not what comes next.
std::optional<Token> take_token(std::string_view& text) {
    const std::size_t begin = text.find_first_not_of(" \t,");
    if (begin == std::string_view::npos) return std::nullopt;
    text.remove_prefix(begin);
    Token token;
    std::size_t at = 0;
    while (at < text.size() && is_key_letter(text[at])) ++at;
    token.key = text.substr(0, at);
    if (at < text.size() && text[at] == '{') {
        const std::size_t end = text.find('}', at);
        if (end == std::string_view::npos) return std::nullopt;
        token.attribute = text.substr(at + 1, end - at - 1);
        at = end + 1;
    }
    text.remove_prefix(at);
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    for (const std::string_view op : {"==", "!=", "+=", "-=", ":=", "="}) {
        if (!text.starts_with(op)) continue;
        token.op = op;
        text.remove_prefix(op.size());
        break;
    }
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.starts_with("e\"") || text.starts_with("i\"")) text.remove_prefix(1);
    if (token.key.empty() || token.op.empty() || !text.starts_with('"')) return std::nullopt;
    std::size_t end = 1;
    while (end < text.size() && text[end] != '"') {
        if (text[end] == '\\' && end + 1 < text.size() && text[end + 1] == '"') ++end;
        token.value += text[end++];
    }
    if (end >= text.size()) return std::nullopt;
    text.remove_prefix(end + 1);
    return token;
}

std::vector<Line> lines_of(std::string_view text, std::vector<std::string>& notes) {
    std::vector<Line> out;
    std::string joined;
    std::size_t begin = 1;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (joined.empty()) begin = number;
        if (line.starts_with('#')) continue;
        if (line.ends_with('\\')) {
            joined += line.substr(0, line.size() - 1);
            if (!text.empty()) continue;
        } else {
            joined += line;
        }
        Line parsed{begin, {}};
        std::string_view rest = joined;
        while (auto token = take_token(rest)) parsed.tokens.push_back(std::move(*token));
        if (!trimmed(rest).empty()) {
            notes.push_back(
                fmt::format("Line {} is not understood, and left out, as udev does: {}", begin, joined));
        } else if (!parsed.tokens.empty()) {
            out.push_back(std::move(parsed));
        }
        joined.clear();
    }
    return out;
}

// With alternatives, as udev has them: "a|b".
bool fits(const std::string& patterns, const std::string& value) {
    std::string_view rest = patterns;
    while (true) {
        const std::size_t bar = std::min(rest.find('|'), rest.size());
        if (fnmatch(std::string(rest.substr(0, bar)).c_str(), value.c_str(), 0) == 0) return true;
        if (bar == rest.size()) return false;
        rest.remove_prefix(bar + 1);
    }
}

enum class Virtual { none, machine };

// One memory block that is added.
class Run final {
 public:
    Run(const std::vector<Line>& lines, Virtual where, std::set<std::string>& notes)
        : lines_(lines), where_(where), notes_(notes) {
        std::size_t next = 0;
        while (next < lines_.size()) next = run(next);
    }

    // What was written to its state, or is what the kernel is told to write; empty: nothing.
    [[nodiscard]] const std::string& state() const { return state_; }
    [[nodiscard]] std::size_t line() const { return line_; }

 private:
    std::size_t run(std::size_t at) {
        const Line& line = lines_[at];
        // What cannot be told in a line without an effect on memory is of no interest.
        std::vector<std::string> unknown;
        for (const Token& token : line.tokens) {
            if (!is_condition(token)) continue;
            const auto holds = condition(token);
            if (!holds) {
                unknown.push_back(token.key + (token.attribute.empty() ? "" : "{" + token.attribute + "}") +
                                  token.op + '"' + token.value + '"');
            } else if (*holds != (token.op != "!=")) {
                return at + 1;
            }
        }
        for (const Token& token : line.tokens) {
            if (is_condition(token)) continue;
            if (!unknown.empty()) {
                if (has_effect(token)) note_unknown(line, unknown);
                continue;
            }
            if (token.key == "GOTO") return label(token.value, at);
            act(line, token);
        }
        return at + 1;
    }

    static bool is_condition(const Token& token) {
        // PROGRAM and IMPORT run something whatever the operator is.
        return token.compares() || token.key == "PROGRAM" || token.key == "TEST" || token.key == "IMPORT";
    }

    // Whether the pattern fits; != is the caller's. Nothing: that depends on what is not known here.
    std::optional<bool> condition(const Token& token) {
        const std::string& value = token.value;
        if (token.key == "SUBSYSTEM" || token.key == "SUBSYSTEMS") return fits(value, "memory");
        if (token.key == "ACTION") return fits(value, "add");
        if (token.key == "KERNEL" || token.key == "KERNELS") return fits(value, "memory42");
        if (token.key == "DEVPATH") return fits(value, "/devices/system/memory/memory42");
        if (token.key == "ATTR" && token.attribute == "state")
            return fits(value, state_.empty() ? "offline" : "online");
        if (token.key == "ENV") {
            const auto found = environment_.find(token.attribute);
            return fits(value, found == environment_.end() ? "" : found->second);
        }
        if (token.key == "CONST" && token.attribute == "virt") return virtualization(value);
        if (token.key == "CONST" && token.attribute == "arch") return architecture(value);
        if (token.key == "PROGRAM") {
            program_ = value;
            const bool known = value.find("systemd-detect-virt") != std::string::npos ||
                               value.find("uname -p") != std::string::npos ||
                               value.find("uname -m") != std::string::npos;
            return known ? std::optional{token.op != "!="} : std::nullopt;
        }
        if (token.key == "RESULT" && program_.find("systemd-detect-virt") != std::string::npos) {
            return virtualization(value);
        }
        if (token.key == "RESULT" && program_.find("uname") != std::string::npos) return architecture(value);
        if (token.key == "TEST" && (value == "state" || value == "online")) return value == "state";
        return std::nullopt;
    }

    std::optional<bool> virtualization(const std::string& pattern) const {
        if (where_ == Virtual::none) return fits(pattern, "none");
        if (pattern == "none" || pattern == "*") return pattern == "*";
        return std::nullopt;  // one of many kinds of machine
    }

    std::optional<bool> architecture(const std::string& pattern) {
        const bool here = fits(pattern, "x86-64") || fits(pattern, "x86_64");
        if (!here)
            notes_.insert(fmt::format(
                "On the architecture {} it does something else, which a policy cannot ask.", pattern));
        return here;
    }

    static bool has_effect(const Token& token) {
        return (token.key == "ATTR" &&
                (token.attribute == "state" || token.attribute == "auto_online_blocks")) ||
               token.key == "GOTO" || (token.key == "ENV" && token.value.starts_with("online")) ||
               (token.key == "RUN" && !state_of_program(token.value).empty());
    }

    void note_unknown(const Line& line, const std::vector<std::string>& unknown) {
        notes_.insert(fmt::format("Line {} is left out: it depends on {}, which a policy cannot ask.",
                                  line.number, fmt::join(unknown, " and ")));
    }

    std::size_t label(const std::string& name, std::size_t from) const {
        for (std::size_t i = from + 1; i < lines_.size(); ++i) {
            const auto& tokens = lines_[i].tokens;
            const bool is_it = std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
                return token.key == "LABEL" && token.value == name;
            });
            if (is_it) return i;
        }
        return from + 1;
    }

    [[nodiscard]] std::string substituted(const std::string& value) const {
        std::string out = value;
        for (const auto& [name, text] : environment_) {
            for (const std::string& form : {"$env{" + name + "}", "%E{" + name + "}"}) {
                for (std::size_t at = 0; (at = out.find(form, at)) != std::string::npos; at += text.size()) {
                    out.replace(at, form.size(), text);
                }
            }
        }
        return out;
    }

    // "echo online_movable > /sys$devpath/state", or the same for auto_online_blocks.
    static std::string state_of_program(const std::string& program) {
        if (program.find("/state") == std::string::npos &&
            program.find("auto_online_blocks") == std::string::npos) {
            return {};
        }
        for (const char* state : {"online_movable", "online_kernel", "online"}) {
            const std::size_t at = program.find(state);
            if (at != std::string::npos && (at == 0 || program[at - 1] != '_')) return state;
        }
        return {};
    }

    void act(const Line& line, const Token& token) {
        const std::string value = substituted(token.value);
        if (token.key == "ENV") {
            environment_[token.attribute] = value;
        } else if (token.key == "ATTR" &&
                   (token.attribute == "state" || token.attribute == "auto_online_blocks")) {
            write(line, value);
        } else if (token.key == "RUN") {
            if (const std::string state = state_of_program(value); !state.empty())
                write(line, state);
            else
                notes_.insert(fmt::format("Line {}: its program is left out: {}", line.number, value));
        }
    }

    // A block that is online does not change its zone by another write.
    void write(const Line& line, const std::string& value) {
        if (!state_.empty() || !value.starts_with("online")) return;
        state_ = value;
        line_ = line.number;
    }

    const std::vector<Line>& lines_;
    Virtual where_;
    std::set<std::string>& notes_;
    std::map<std::string, std::string> environment_;
    std::string program_;
    std::string state_;
    std::size_t line_ = 0;
};

ImportedRule rule_for(const std::string& name, const std::string& where, const Run& run) {
    ImportedRule rule;
    rule.notes.push_back(
        fmt::format("Line {} writes \"{}\" to each memory block that appears.", run.line(), run.state()));
    const std::string zone = zone_of_state(run.state(), rule.notes);
    rule.name = name;
    rule.match = std::string(volatile_kinds) + where;
    rule.memory = online_in(zone);
    return rule;
}

// "40-redhat" of "/lib/udev/rules.d/40-redhat.rules".
std::string stem(std::string_view name) {
    const std::string_view base = base_name(name);
    return std::string(base.substr(0, base.find('.')));
}

void say_what_is_left(const std::string& name, Imported& out) {
    out.notes.push_back(
        fmt::format("{} also brings memory online that is not on the dax bus (DIMMs, virtual machines' "
                    "balloons), which these rules "
                    "do not. Where it stays, it decides first, and the daemon calls it a competitor. To take "
                    "it out of the way: ln "
                    "-s /dev/null /etc/udev/rules.d/{}, and auto_online = \"manage\" in daemon.toml.",
                    name, base_name(name)));
}

}  // namespace

Imported import_udev(const std::string& name, std::string_view text) {
    Imported out;
    std::set<std::string> notes;
    const std::vector<Line> lines = lines_of(text, out.notes);
    const Run metal(lines, Virtual::none, notes);
    const Run guest(lines, Virtual::machine, notes);
    std::vector<std::string> ignored;
    const auto online = [&](const Run& run) { return !zone_of_state(run.state(), ignored).empty(); };
    if (online(metal) && online(guest) && metal.state() == guest.state()) {
        out.rules.push_back(rule_for(stem(name), "", metal));
    } else {
        if (online(metal))
            out.rules.push_back(rule_for(stem(name) + "-metal", ", virtualization = \"no\"", metal));
        if (online(guest))
            out.rules.push_back(rule_for(stem(name) + "-guest", ", virtualization = \"yes\"", guest));
    }
    out.notes.insert(out.notes.end(), notes.begin(), notes.end());
    if (!out.rules.empty()) say_what_is_left(name, out);
    return out;
}

Imported import_tmpfiles(const std::string& name, std::string_view text) {
    Imported out;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with('#') || line.find("/auto_online_blocks") == std::string_view::npos) continue;
        ImportedRule rule;
        const std::string_view value = line.substr(line.find_last_of(" \t") + 1);
        rule.notes.push_back(
            fmt::format("Line {} tells the kernel \"{}\" for all new memory.", number, value));
        const std::string zone = zone_of_state(value, rule.notes);
        if (zone.empty()) {
            out.notes.push_back(fmt::format(
                "Line {} keeps new memory offline, as auto_online = \"manage\" in daemon.toml does.",
                number));
            continue;
        }
        rule.name = stem(name);
        rule.match = volatile_kinds;
        rule.memory = online_in(zone);
        out.rules = {rule};  // the last one counts
    }
    if (!out.rules.empty()) {
        out.notes.push_back(fmt::format(
            "{} is for memory of every kind; these rules are for that of the dax bus. Where it stays, the "
            "kernel decides "
            "before the daemon can: take it away, or write auto_online = \"manage\" in daemon.toml.",
            name));
    }
    return out;
}

}  // namespace cxlmemctl
