// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace cxlmemd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Outcome = Result<std::vector<Problem>>;

class CheckerTest : public ::testing::Test {
 protected:
    // What becomes of a text, once it is known.
    std::shared_ptr<std::optional<Outcome>> check(Checker& checker, const std::string& text,
                                                  std::uint32_t uid) {
        auto outcome = std::make_shared<std::optional<Outcome>>();
        ++open_;
        checker.check({{"a.toml", text}}, uid, [this, outcome, uid](Outcome given) {
            *outcome = std::move(given);
            order_.push_back(uid);
            if (--open_ == 0) loop_.exit(0);
        });
        return outcome;
    }
    void run() {
        const auto give_up = loop_.add_timer(30'000'000, [this] { loop_.exit(1); });
        if (open_ == 0) return;
        EXPECT_EQ(loop_.run(), 0) << "not all were answered";
    }
    static ErrorCode code(const std::optional<Outcome>& outcome) { return outcome.value().error().code; }

    EventLoop loop_;
    int open_ = 0;
    std::vector<std::uint32_t> order_;
};

TEST_F(CheckerTest, AnswersLaterWithTheProblems) {
    Checker checker{loop_};
    const auto good = check(checker, "", 1000);
    const auto bad = check(checker, "x = 1\n", 1001);
    EXPECT_FALSE(good->has_value()) << "not from inside the call";
    run();
    EXPECT_TRUE(good->value()->empty());
    ASSERT_EQ(bad->value()->size(), 1U);
    EXPECT_THAT(bad->value()->front().message, HasSubstr("unknown key 'x'"));
}

TEST_F(CheckerTest, UsersTakeTurns) {
    Checker checker{loop_};
    for (int i = 0; i < 3; ++i) check(checker, "x = 1\n", 1000);
    check(checker, "x = 1\n", 1001);
    run();
    EXPECT_THAT(order_, ElementsAre(1000, 1001, 1000, 1000));
}

TEST_F(CheckerTest, AUserHasAShareOfTextsAndBytes) {
    Checker checker{loop_, {.of_user = 2, .bytes_of_user = 100}};
    check(checker, "", 1000);
    check(checker, "", 1000);
    EXPECT_EQ(code(*check(checker, "", 1000)), ErrorCode::busy);
    EXPECT_EQ(code(*check(checker, std::string(200, '#'), 1001)), ErrorCode::busy);
    EXPECT_FALSE(check(checker, "", 1002)->has_value());
    run();
}

TEST_F(CheckerTest, WhatWasAnsweredCountsNoMore) {
    Checker checker{loop_, {.of_user = 1}};
    std::optional<Outcome> second;
    checker.check({{"a.toml", ""}}, 1000, [&](const Outcome& first) {
        EXPECT_TRUE(first.has_value());
        checker.check({{"a.toml", ""}}, 1000, [&](Outcome given) {
            second = std::move(given);
            loop_.exit(0);
        });
    });
    ++open_;
    run();
    EXPECT_TRUE(second.value().has_value());
}

TEST_F(CheckerTest, AllTogetherHaveALimit) {
    Checker checker{loop_, {.all = 2}};
    check(checker, "", 1000);
    check(checker, "", 1001);
    EXPECT_EQ(code(*check(checker, "", 1002)), ErrorCode::busy);
    run();
}

TEST_F(CheckerTest, ATextThatTakesTooLongIsGivenUpAndTheNextOneIsChecked) {
    Checker checker{loop_, {.usec = 0}};
    std::string rules;
    for (int i = 0; i < 4000; ++i) {
        rules += "[[rule]]\nname = \"r" + std::to_string(i) +
                 "\"\nmatch.dax = [\"a\", \"b\"]\nmemory.mode = \"ignore\"\n";
    }
    const auto slow = check(checker, rules, 1000);
    run();
    ASSERT_EQ(code(*slow), ErrorCode::timed_out);
    EXPECT_THAT(slow->value().error().text(), HasSubstr("takes too long"));
}

TEST_F(CheckerTest, AStopAnswersEverybody) {
    Checker checker{loop_};
    const auto one = check(checker, "", 1000);
    const auto two = check(checker, "", 1000);
    checker.close();
    EXPECT_EQ(code(*one), ErrorCode::canceled);
    EXPECT_EQ(code(*two), ErrorCode::canceled);
    EXPECT_EQ(code(*check(checker, "", 1000)), ErrorCode::canceled);
}

}  // namespace
}  // namespace cxlmemd
