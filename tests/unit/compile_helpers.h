// SPDX-License-Identifier: LGPL-2.1-or-later
// What the tests of the policy language share: text in, problems as lines out.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compile.h"
#include "policy/policy.h"

namespace cxlmemd::test {

// "5:8: error: message", without the file.
inline std::vector<std::string> lines_of(const std::vector<Problem>& problems) {
    std::vector<std::string> out;
    for (const Problem& problem : problems) {
        Problem without_file = problem;
        without_file.place.file.clear();
        const std::string line = to_string(without_file);
        out.push_back(line.substr(line.starts_with(":") ? 1 : 0));
    }
    return out;
}

inline Compiled compile_text(std::string text) {
    return compile({SourceFile{"a.toml", std::move(text)}});
}

inline std::vector<std::string> problems_of(std::string text) {
    return lines_of(compile_text(std::move(text)).problems);
}

// The policy of a text that must have no error.
inline Policy policy_of(std::string text) {
    Compiled compiled = compile_text(std::move(text));
    EXPECT_FALSE(has_errors(compiled.problems)) << testing::PrintToString(lines_of(compiled.problems));
    return std::move(compiled.policy);
}

// A snippet and the problems that it must give, all of them, in order.
struct BadCase {
    std::string_view behaviour;  // names the test
    std::string_view text;
    std::vector<std::string> problems;
};

inline std::ostream& operator<<(std::ostream& out, const BadCase& bad) {
    return out << bad.text;
}

inline std::string behaviour_of(const testing::TestParamInfo<BadCase>& info) {
    return std::string{info.param.behaviour};
}

// Where the snippets of [rule.match] and [rule.memory] stand: they begin on line 5.
inline std::string in_match(std::string_view keys) {
    return "[[rule]]\nname = \"r\"\nmemory.mode = \"system-ram\"\n[rule.match]\n" + std::string{keys} + "\n";
}
inline std::string in_memory(std::string_view keys) {
    return "[[rule]]\nname = \"r\"\nmatch.kind = \"cxl-ram\"\n[rule.memory]\n" + std::string{keys} + "\n";
}
inline std::string in_drain(std::string_view keys) {
    return "[[rule]]\nname = \"r\"\nmemory.mode = \"system-ram\"\n[rule.drain]\n" + std::string{keys} + "\n";
}

}  // namespace cxlmemd::test
