// SPDX-License-Identifier: LGPL-2.1-or-later
// docs/policy-guide.md has every key of the language and the limits as they are.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "policy/compile.h"
#include "policy/schema.h"

namespace cxlmemd {
namespace {

using testing::HasSubstr;

std::string guide() {
    std::ifstream in{std::filesystem::path{__FILE__}.parent_path() / "../../docs/policy-guide.md"};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    // The examples have most keys; what counts is that they are explained.
    return text.substr(std::min(text.find("# Reference"), text.size()));
}

TEST(Guide, MentionsEveryKey) {
    const std::string text = guide();
    for (const auto* table : {&schema::rule, &schema::rule_match, &schema::rule_memory, &schema::rule_drain,
                              &schema::node, &schema::node_match, &schema::region, &schema::settings_file,
                              &schema::settings_retry, &schema::settings_log}) {
        for (const std::string_view key : table->keys) {
            const bool has_table = key == "retry" || key == "log";
            EXPECT_THAT(text, HasSubstr(has_table ? fmt::format("`[{}]`", key) : fmt::format("`{}`", key)))
                << table->title;
        }
    }
    for (const std::string_view key : schema::policy_file.keys) {
        EXPECT_THAT(text, HasSubstr(fmt::format("## `[[{}]]`", key)));
    }
}

TEST(Guide, HasTheLimits) {
    const std::string text = guide();
    EXPECT_THAT(text, HasSubstr(fmt::format("| one file | {} MiB |", max_file_bytes >> 20)));
    EXPECT_THAT(text, HasSubstr(fmt::format("| all policy files | {} files, {} MiB |", max_files,
                                            max_total_bytes >> 20)));
    EXPECT_THAT(text, HasSubstr(fmt::format("| {},{:03} each |", max_rules / 1000, max_rules % 1000)));
    EXPECT_THAT(text, HasSubstr(fmt::format("| a name or a pattern | {} bytes |", max_name_bytes)));
    EXPECT_THAT(
        text, HasSubstr(fmt::format("| {},{:03} bytes |", max_string_bytes / 1000, max_string_bytes % 1000)));
    EXPECT_THAT(text, HasSubstr(fmt::format("| entries of a list | {},{:03} |", max_list_entries / 1000,
                                            max_list_entries % 1000)));
}

}  // namespace
}  // namespace cxlmemd
