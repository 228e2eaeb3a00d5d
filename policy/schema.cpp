// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/schema.h"

#include <algorithm>
#include <array>

#include "policy/match_keys.h"
#include "policy/suggest.h"
#include "policy/text.h"

namespace cxlmemd::schema {

namespace {

using Keys = std::string_view;

constexpr std::array policy_keys{Keys{"rule"}, Keys{"node"}, Keys{"region"}};
constexpr std::array rule_keys{Keys{"name"}, Keys{"description"}, Keys{"match"}, Keys{"memory"},
                               Keys{"drain"}};
constexpr std::array memory_keys{Keys{"mode"},        Keys{"zone"},  Keys{"amount"},   Keys{"require_node"},
                                 Keys{"on_conflict"}, Keys{"drift"}, Keys{"online_by"}};
constexpr std::array drain_keys{Keys{"timeout"}, Keys{"retries"}, Keys{"rollback"}};
constexpr std::array node_keys{Keys{"match"}, Keys{"interleave_weight"}};
constexpr std::array node_match_keys{Keys{"id"}, Keys{"kind"}};
constexpr std::array region_keys{
    Keys{"name"},         Keys{"type"}, Keys{"memdev_serial"},          Keys{"memdev_host"},
    Keys{"root_decoder"}, Keys{"node"}, Keys{"interleave_granularity"}, Keys{"size"}};
constexpr std::array settings_keys{Keys{"auto_online"}, Keys{"auto_reload"}, Keys{"max_movable_ratio"},
                                   Keys{"demotion"},    Keys{"retry"},       Keys{"log"}};
constexpr std::array retry_keys{Keys{"initial"}, Keys{"max"}, Keys{"attempts"}};
constexpr std::array log_keys{Keys{"level"}};

}  // namespace

const TableSchema policy_file{"a policy file", policy_keys};
const TableSchema rule{"[[rule]]", rule_keys};
const TableSchema rule_match{"[rule.match]", keys::names};
const TableSchema rule_memory{"[rule.memory]", memory_keys};
const TableSchema rule_drain{"[rule.drain]", drain_keys};
const TableSchema node{"[[node]]", node_keys};
const TableSchema node_match{"match of [[node]]", node_match_keys};
const TableSchema region{"[[region]]", region_keys};
const TableSchema settings_file{"daemon.toml", settings_keys};
const TableSchema settings_retry{"[retry]", retry_keys};
const TableSchema settings_log{"[log]", log_keys};

namespace {

// The tables of the same file, in the order in which a misplaced key is looked for in them.
constexpr std::array rule_tables{&rule, &rule_memory, &rule_drain, &rule_match, &policy_file};
constexpr std::array node_tables{&node, &node_match, &region, &policy_file};
constexpr std::array region_tables{&region, &rule_match, &rule_memory, &policy_file};
constexpr std::array settings_tables{&settings_file, &settings_retry, &settings_log};

using Tables = std::span<const TableSchema* const>;

bool is_of_settings(const TableSchema& table) {
    return std::ranges::find(settings_tables, &table) != settings_tables.end();
}

Tables siblings(const TableSchema& table) {
    if (is_of_settings(table)) return settings_tables;
    if (&table == &node || &table == &node_match) return node_tables;
    if (&table == &region) return region_tables;
    return rule_tables;
}

const TableSchema* find_owner(Tables tables, const TableSchema& but_not, std::string_view key) {
    const auto it = std::ranges::find_if(tables, [&](const TableSchema* table) {
        return table != &but_not && std::ranges::find(table->keys, key) != table->keys.end();
    });
    return it == tables.end() ? nullptr : *it;
}

}  // namespace

std::string unknown_key(const TableSchema& table, std::string_view key) {
    std::string out = "unknown key " + in_quotes(key) + " in " + std::string{table.title};
    const auto belongs_in = [&out](const TableSchema& owner) {
        return out + "; it belongs in " + std::string{owner.title};
    };
    if (const TableSchema* owner = find_owner(siblings(table), table, key)) return belongs_in(*owner);
    if (const std::string guess = did_you_mean(key, table.keys); !guess.empty()) return out + guess;
    const Tables other_file = is_of_settings(table) ? Tables{rule_tables} : Tables{settings_tables};
    if (const TableSchema* owner = find_owner(other_file, table, key)) {
        if (owner == &policy_file || owner == &settings_file) return belongs_in(*owner);
        return belongs_in(*owner) + " of " +
               std::string{(is_of_settings(table) ? policy_file : settings_file).title};
    }
    return out;
}

}  // namespace cxlmemd::schema
