// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/glob.h"

#include <fnmatch.h>
#include <gmock/gmock.h>

#include <random>

#include "policy/glob_index.h"

namespace cxlmemd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string random_text(std::mt19937& dice, std::string_view letters, std::size_t most) {
    std::string out(std::uniform_int_distribution<std::size_t>{0, most}(dice), ' ');
    for (char& c : out) c = letters[std::uniform_int_distribution<std::size_t>{0, letters.size() - 1}(dice)];
    return out;
}

TEST(Glob, FitsWhatFnmatchSays) {
    std::mt19937 dice{1};
    for (int i = 0; i < 200'000; ++i) {
        const std::string pattern = random_text(dice, "ab.*?[]!-\\", 9);
        const std::string text = random_text(dice, "ab.[]-", 9);
        ASSERT_EQ(glob_fits(pattern, text), ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0)
            << pattern << " " << text;
    }
}

TEST(Glob, PiecesStandInEveryTextThatFits) {
    std::mt19937 dice{2};
    for (int i = 0; i < 200'000; ++i) {
        const std::string pattern = random_text(dice, "ab*?[]!^-\\", 9);
        const std::string text = random_text(dice, "ab[]-^!", 9);
        if (!glob_fits(pattern, text)) continue;
        for (const std::string_view piece : literal_pieces(pattern)) {
            ASSERT_NE(text.find(piece), std::string::npos) << pattern << " " << text << " " << piece;
        }
    }
}

TEST(Glob, HasThePiecesBetweenSpecialCharacters) {
    EXPECT_THAT(literal_pieces("dax12.0"), ElementsAre("dax12.0"));
    EXPECT_THAT(literal_pieces("*12?.*"), ElementsAre("12", "."));
    EXPECT_THAT(literal_pieces("a[0-9]b[!x]c"), ElementsAre("a", "b", "c"));
    EXPECT_THAT(literal_pieces("a[]x]b"), ElementsAre("a"));
    EXPECT_THAT(literal_pieces("a\\*b"), ElementsAre("a"));
    EXPECT_THAT(literal_pieces("**?"), IsEmpty());
}

TEST(GlobIndex, HoldsForTheRulesOfWhichAnyGlobFits) {
    std::mt19937 dice{3};
    for (int round = 0; round < 300; ++round) {
        std::vector<std::vector<Glob>> rules(70);
        for (auto& globs : rules) {
            for (std::size_t n = dice() % 3; n > 0; --n)
                globs.push_back(Glob{random_text(dice, "ab1*?[]-\\", 12)});
        }
        GlobIndex index{rules.size()};
        for (std::size_t rule = 0; rule < rules.size(); ++rule) index.add(rule, rules[rule]);
        index.finish();
        for (int i = 0; i < 30; ++i) {
            const std::string text = random_text(dice, "ab1[-", 14);
            RuleSet wanted{rules.size()};
            for (std::size_t rule = 0; rule < rules.size(); ++rule) {
                const auto fits = [&](const Glob& glob) { return glob_fits(glob.pattern, text); };
                if (rules[rule].empty() || std::ranges::any_of(rules[rule], fits)) wanted.add(rule);
            }
            const RuleSet& found = index.holding(text);
            for (std::size_t rule = 0; rule < rules.size(); ++rule) {
                ASSERT_EQ(found.next(rule) == rule, wanted.next(rule) == rule) << text << " " << rule;
            }
        }
    }
}

}  // namespace
}  // namespace cxlmemd
