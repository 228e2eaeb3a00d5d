// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a policy file and as daemon.toml: no crash, no hang, and problems that hold what
// policy.h promises of them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "policy/compile.h"
#include "policy/settings.h"
#include "policy/text.h"

namespace {

void must(bool holds) {
    if (!holds) std::abort();
}

// D-Bus refuses a string that is not.
bool is_utf8(const std::string& text) {
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = cxlmemd::utf8_length(text, i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

void check_problems(const std::vector<cxlmemd::Problem>& problems, const std::string& text) {
    std::size_t lines = 1;
    for (const char c : text) lines += c == '\n' ? 1 : 0;
    std::tuple<std::uint32_t, std::uint32_t> last;
    for (const cxlmemd::Problem& problem : problems) {
        const std::tuple place{problem.place.line, problem.place.column};
        must(last <= place);
        last = place;
        must(problem.place.line <= lines && problem.place.column <= text.size() + 1);
        must(!problem.message.empty() && !cxlmemd::has_control_character(problem.message));
        must(is_utf8(problem.message));
    }
}

void check_policy(const cxlmemd::Policy& policy) {
    std::unordered_set<std::string> names;
    for (const cxlmemd::Rule& rule : policy.rules) {
        must(!rule.name.empty() && names.insert(rule.name).second);
        must(rule.place.line > 0 && rule.place.column > 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);

    const cxlmemd::Compiled alone = cxlmemd::compile({{"a", text}});
    check_problems(alone.problems, text);
    if (!cxlmemd::has_errors(alone.problems)) check_policy(alone.policy);

    // The same rules again: each name is taken now.
    const cxlmemd::Compiled twice = cxlmemd::compile({{"a", text}, {"b", text}});
    must(cxlmemd::has_errors(twice.problems) || (alone.policy.rules.empty() && alone.policy.regions.empty()));

    check_problems(cxlmemd::compile_settings({"s", text}).problems, text);
    return 0;
}
