// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/scenario_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <sstream>
#include <utility>

namespace cxlmemd::contract {

namespace {

// What follows on a verb.
enum class Argument { device, device_or_old, blocks, target, mode, auto_online, on_off, number, word };

struct Form {
    std::string_view actor;
    std::string_view word;
    Verb verb;
    std::vector<Argument> arguments;
};

const std::vector<Form>& forms() {
    using enum Argument;
    static const std::vector<Form> all{
        {"we", "set-block", Verb::set_block, {device_or_old, blocks, target}},
        {"we", "set-mode", Verb::set_mode, {device_or_old, mode}},
        {"we", "set-auto-online", Verb::set_auto_online, {auto_online}},
        {"we", "create", Verb::create, {device}},
        {"we", "destroy", Verb::destroy, {device_or_old}},
        {"we", "set-weight", Verb::set_weight, {device, number}},
        {"we", "set-interleave-auto", Verb::set_interleave_auto, {on_off}},
        {"we", "set-demotion", Verb::set_demotion, {on_off}},
        {"we", "drain", Verb::drain, {device}},
        {"other", "writes-block", Verb::write_block, {device, blocks, word}},
        {"other", "writes-auto-online", Verb::write_auto_online, {word}},
        {"other", "writes-state", Verb::write_state, {device, word}},
        {"other", "binds", Verb::bind, {device}},
        {"other", "unbinds", Verb::unbind, {device}},
        {"other", "makes", Verb::make, {device}},
        {"other", "removes", Verb::remove, {device}},
        {"show", "blocks", Verb::show_blocks, {device}},
        {"show", "dax", Verb::show_dax, {device}},
        {"show", "node", Verb::show_node, {device}},
        {"show", "region", Verb::show_region, {device}},
        {"show", "settings", Verb::show_settings, {}},
    };
    return all;
}

std::string_view name_of(Argument argument) {
    switch (argument) {
        case Argument::device: return "DEVICE (A, B, ...)";
        case Argument::device_or_old: return "DEVICE (A, B, ..., or old-A for who had its name before)";
        case Argument::blocks:
            return "BLOCKS (first, last, all, all-down, or numbers and FROM..TO with commas)";
        case Argument::target: return "STATE (offline, online_kernel, online_movable)";
        case Argument::mode: return "MODE (unbound, system-ram, devdax)";
        case Argument::auto_online: return "STATE (offline, online, online_kernel, online_movable)";
        case Argument::on_off: return "on or off";
        case Argument::number: return "NUMBER";
        case Argument::word: return "WORD";
    }
    return {};
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
}

std::optional<int> to_block(std::string_view text) {
    if (text == "first") return 0;
    if (text == "last") return -1;
    int out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc{} || end != text.data() + text.size() || out < 0) return std::nullopt;
    return out;
}

std::optional<std::vector<BlockRange>> to_blocks(std::string_view text) {
    if (text == "all") return std::vector{BlockRange{0, -1}};
    if (text == "all-down") return std::vector{BlockRange{-1, 0}};
    std::vector<BlockRange> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string_view part = text.substr(at, comma - at);
        const std::size_t dots = part.find("..");
        const auto from = to_block(part.substr(0, dots));
        const auto to = dots == std::string_view::npos ? from : to_block(part.substr(dots + 2));
        if (!from || !to) return std::nullopt;
        out.push_back({*from, *to});
        at = comma + 1;
    }
    return out;
}

// False if the word is none of that kind.
bool take(Argument argument, std::string_view word, ScenarioStep& into) {
    switch (argument) {
        case Argument::device_or_old:
            into.predecessor = word.starts_with("old-");
            if (into.predecessor) word.remove_prefix(4);
            [[fallthrough]];
        case Argument::device:
            if (word.size() != 1 || word[0] < 'A' || word[0] > 'Z') return false;
            into.device = word[0];
            return true;
        case Argument::blocks: {
            auto blocks = to_blocks(word);
            if (blocks) into.blocks = std::move(*blocks);
            return blocks.has_value();
        }
        case Argument::target:
            if (!is_one_of(word, {"offline", "online_kernel", "online_movable"})) return false;
            break;
        case Argument::mode:
            if (!is_one_of(word, {"unbound", "system-ram", "devdax"})) return false;
            break;
        case Argument::auto_online:
            if (!is_one_of(word, {"offline", "online", "online_kernel", "online_movable"})) return false;
            break;
        case Argument::on_off:
            if (!is_one_of(word, {"on", "off"})) return false;
            break;
        case Argument::number:
            if (word.size() > 6 || !std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; }))
                return false;
            break;
        case Argument::word: break;  // what it means is the kernel's to say
    }
    into.word = word;
    return true;
}

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream stream(line.substr(0, line.find('#')));
    std::vector<std::string> out;
    for (std::string word; stream >> word;) out.push_back(word);
    return out;
}

tl::expected<ScenarioStep, std::string> parse_step(const std::vector<std::string>& words) {
    std::vector<std::string> known;
    bool is_actor = false;
    for (const Form& form : forms()) {
        is_actor = is_actor || words[0] == form.actor;
        if (words[0] == form.actor) known.emplace_back(form.word);
    }
    if (!is_actor)
        return tl::unexpected(fmt::format("'{}' is none of: we, other, show, after, keep", words[0]));
    if (words.size() == 1)
        return tl::unexpected(fmt::format("'{}' what? {}", words[0], fmt::join(known, ", ")));
    const auto form = std::ranges::find_if(
        forms(), [&](const Form& f) { return f.actor == words[0] && f.word == words[1]; });
    if (form == forms().end()) {
        return tl::unexpected(
            fmt::format("'{} {}' is not known; there are {}", words[0], words[1], fmt::join(known, ", ")));
    }
    ScenarioStep step{.text = fmt::format("{}", fmt::join(words, " ")), .verb = form->verb};
    for (std::size_t i = 0; i < form->arguments.size(); ++i) {
        const Argument argument = form->arguments[i];
        if (words.size() <= i + 2) {
            return tl::unexpected(fmt::format("'{} {}' wants {}", words[0], words[1], name_of(argument)));
        }
        if (!take(argument, words[i + 2], step)) {
            return tl::unexpected(fmt::format("'{}' is no {}", words[i + 2], name_of(argument)));
        }
    }
    const std::size_t most = form->arguments.size() + 2;
    if (words.size() > most) return tl::unexpected(fmt::format("'{}' is one word too many", words[most]));
    return step;
}

}  // namespace

tl::expected<ScenarioText, std::vector<ScenarioProblem>> parse_scenario(std::string_view text) {
    ScenarioText out;
    std::vector<ScenarioProblem> problems;
    std::istringstream stream{std::string{text}};
    std::size_t number = 0;
    for (std::string line; std::getline(stream, line);) {
        ++number;
        const std::vector<std::string> words = words_of(line);
        if (words.empty()) continue;
        const auto wrong = [&](std::string message) { problems.push_back({number, std::move(message)}); };
        if (words[0] == "keep" || words[0] == "after") {
            if (words.size() != (words[0] == "keep" ? 1U : 2U)) {
                wrong(words[0] == "keep" ? "'keep' stands alone" : "'after' wants the name of one scenario");
            } else if (!out.steps.empty()) {
                wrong(fmt::format("'{}' comes before all steps", words[0]));
            } else if (words[0] == "keep") {
                out.keep = true;
            } else {
                out.after = words[1];
            }
            continue;
        }
        auto step = parse_step(words);
        if (!step) {
            wrong(step.error());
            continue;
        }
        step->line = number;
        out.steps.push_back(std::move(*step));
    }
    if (out.steps.empty() && problems.empty()) problems.push_back({number, "there is no step in it"});
    if (!problems.empty()) return tl::unexpected(std::move(problems));
    return out;
}

}  // namespace cxlmemd::contract
