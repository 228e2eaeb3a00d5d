// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/listing.h"

#include <fmt/format.h>

#include "policy/match_keys.h"
#include "policy/match_words.h"
#include "policy/plan_words.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

// What a line of a terminal has room for; the whole list stands in the file.
constexpr std::size_t most_entries = 4;

bool begins_with_sign(const std::string& words) {
    return words.starts_with('<') || words.starts_with('>');
}

std::string match_words(const Match& match) {
    std::string out;
    keys::each([&](const auto& row, MatchKey key) {
        const std::string words = wanted(key, match, most_entries);
        if (words.empty()) return;
        if (!out.empty()) out += ", ";
        out += fmt::format("{} {}{}", row.name, begins_with_sign(words) ? "" : "= ", words);
    });
    return out.empty() ? "every device" : out;
}

std::string goal_words(const Goal& goal) {
    if (goal.mode == ModeWish::ignore) return "left alone";
    std::string out{to_string(goal.mode)};
    if (goal.mode == ModeWish::system_ram) {
        out += fmt::format(", zone {}, amount {}", to_string(goal.zone), to_string(goal.amount));
        if (goal.on_conflict == OnConflict::keep) out += ", keeps what is online in another zone";
        if (goal.online_by == OnlineBy::state) out += ", by daxX.Y/state";
    }
    if (!goal.require_node.empty()) out += ", only on " + node_words(goal.require_node);
    if (goal.drift == Drift::enforce) out += ", enforced against drift";
    return out;
}

std::string rule_place(const Place& place) {
    return fmt::format("{}:{}", visible(place.file), place.line);
}

}  // namespace

std::vector<ListedRule> listing(const Policy& policy) {
    std::vector<ListedRule> out;
    out.reserve(policy.rules.size());
    for (const Rule& rule : policy.rules) {
        out.push_back({rule.place, rule.name, match_words(rule.match), goal_words(rule.goal)});
    }
    return out;
}

std::string listing_text(const std::vector<ListedRule>& rules, const std::vector<PolicyFile>& files) {
    std::string out;
    std::size_t number = 0;
    for (const ListedRule& rule : rules) {
        out += fmt::format("{:>4}  {}  {}\n      {}: {}\n", ++number, visible(rule.name),
                           rule_place(rule.place), visible(rule.match), visible(rule.action));
    }
    for (const PolicyFile& file : files) {
        if (file.masked_by.empty()) continue;
        out += fmt::format("masked: {} by {}\n", visible(file.path), visible(file.masked_by));
    }
    return out;
}

}  // namespace cxlmemd
