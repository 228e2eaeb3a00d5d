// SPDX-License-Identifier: LGPL-2.1-or-later
// Which keys stand in which table, of the policy files and of daemon.toml. The one place that lists
// them; messages about unknown keys come from here.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace cxlmemd::schema {

struct TableSchema {
    std::string_view title;  // as a user writes it: "[rule.memory]"
    std::span<const std::string_view> keys;
};

extern const TableSchema policy_file;
extern const TableSchema rule;
extern const TableSchema rule_match;
extern const TableSchema rule_memory;
extern const TableSchema rule_drain;
extern const TableSchema node;
extern const TableSchema node_match;
extern const TableSchema region;

extern const TableSchema settings_file;
extern const TableSchema settings_retry;
extern const TableSchema settings_log;

// "unknown key 'zon' in [rule.memory]; did you mean 'zone'?", or which table the key belongs in.
[[nodiscard]] std::string unknown_key(const TableSchema& table, std::string_view key);

}  // namespace cxlmemd::schema
