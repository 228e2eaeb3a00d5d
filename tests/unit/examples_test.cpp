// SPDX-License-Identifier: LGPL-2.1-or-later
// Every policy in docs/examples/policy compiles, without even a warning.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

std::filesystem::path examples() {
    return std::filesystem::path{__FILE__}.parent_path() / "../../docs/examples/policy";
}

SourceFile read(const std::filesystem::path& path) {
    std::ifstream in{path};
    return {path.filename(), std::string{std::istreambuf_iterator<char>{in}, {}}};
}

std::vector<std::string> rules_of(const char* file) {
    std::vector<std::string> out;
    for (const Rule& rule : compile({read(examples() / file)}).policy.rules) out.push_back(rule.name);
    return out;
}

TEST(Examples, CompileWithoutAProblem) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{examples()}) {
        if (entry.path().extension() != ".toml") continue;
        ++count;
        EXPECT_THAT(test::lines_of(compile({read(entry.path())}).problems), testing::IsEmpty())
            << entry.path();
    }
    EXPECT_GE(count, 5U);
}

TEST(Examples, HaveTheRulesThatTheyTellOf) {
    using testing::ElementsAre;
    EXPECT_THAT(rules_of("all-removable.toml"), ElementsAre("expanders"));
    EXPECT_THAT(rules_of("one-kernel-one-apps.toml"), ElementsAre("kernel-card", "application-card"));
    EXPECT_THAT(rules_of("quarter-in-reserve.toml"), ElementsAre("small", "large"));
    EXPECT_THAT(rules_of("two-card-pool.toml"), ElementsAre("pool0"));
    EXPECT_THAT(rules_of("watch-only.toml"), ElementsAre("watch-only"));
    EXPECT_THAT(rules_of("fleet.toml"),
                ElementsAre("far-memory", "bandwidth", "old-generation", "persistent", "everything-else"));
}

}  // namespace
}  // namespace cxlmemd
