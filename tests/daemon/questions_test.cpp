// SPDX-License-Identifier: LGPL-2.1-or-later
// The bookkeeping of open questions: deadlines, limits, callers that leave, the end of the daemon.
#include "dbus/questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

namespace cxlmemd::bus {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeAsker final : public Asker {
 public:
    void ask(std::uint64_t id, const Question& question, Done done) override {
        if (!error.empty()) throw std::runtime_error{error};
        asked.push_back(question);
        pending[id] = std::move(done);
    }
    void cancel(std::uint64_t id) override {
        pending.erase(id);
        canceled.insert(id);
    }

    void answer(std::uint64_t id, Verdict verdict) {
        const auto found = pending.extract(id);
        if (!found.empty()) found.mapped()(std::move(verdict));
    }

    std::string error;
    std::vector<Question> asked;
    std::map<std::uint64_t, Done> pending;
    std::set<std::uint64_t> canceled;
};

class QuestionsTest : public ::testing::Test {
 protected:
    struct Alarm {
        std::uint64_t at;
        std::function<void()> ring;
    };

    // Asks; the place where the outcome will stand.
    std::shared_ptr<std::optional<Result<>>> ask(const std::string& sender, std::uint32_t uid,
                                                 bool interactive = false) {
        auto outcome = std::make_shared<std::optional<Result<>>>();
        questions_.ask(
            {.sender = sender, .uid = uid, .action = "org.cxlmemd1.online", .interactive = interactive},
            "dax0.0", "Online", [outcome](Result<> result) {
                EXPECT_FALSE(outcome->has_value()) << "answered twice";
                *outcome = std::move(result);
            });
        return outcome;
    }

    void wait_until(std::uint64_t usec) {
        now_ = usec;
        for (const auto& weak : std::vector{alarms_}) {
            const auto alarm = weak.lock();
            if (alarm != nullptr && alarm->at <= now_) alarm->ring();
        }
    }

    static ErrorCode code(const std::optional<Result<>>& outcome) { return outcome.value().error().code; }

    std::uint64_t now_ = 0;
    std::vector<std::weak_ptr<Alarm>> alarms_;
    FakeAsker asker_;
    Questions questions_{asker_, [this](std::uint64_t usec, std::function<void()> ring) -> Timer {
                             auto alarm = std::make_shared<Alarm>(Alarm{now_ + usec, std::move(ring)});
                             alarms_.push_back(alarm);
                             return alarm;
                         }};
};

TEST_F(QuestionsTest, YesLetsTheCallerThrough) {
    const auto outcome = ask(":1.7", 1000);
    ASSERT_FALSE(outcome->has_value());
    asker_.answer(1, {.answer = Answer::yes});
    EXPECT_TRUE(outcome->value().has_value());
    EXPECT_FALSE(questions_.has_open(":1.7"));
}

TEST_F(QuestionsTest, EveryOtherAnswerDoesNotAndNamesActionAndCaller) {
    std::uint64_t id = 0;
    for (const Answer answer :
         {Answer::no, Answer::challenge, Answer::dismissed, Answer::absent, Answer::silent, Answer::failed}) {
        const auto outcome = ask(":1.7", 1000);
        asker_.answer(++id, {.answer = answer, .text = "what it said"});
        ASSERT_EQ(code(*outcome), ErrorCode::not_authorized);
        const std::string text = outcome->value().error().text();
        for (const char* part : {"dax0.0: Online: ", "uid 1000", ":1.7", "org.cxlmemd1.online"}) {
            EXPECT_THAT(text, HasSubstr(part));
        }
    }
}

TEST_F(QuestionsTest, WithoutInteractionTenSecondsAreEnough) {
    const auto outcome = ask(":1.7", 1000);
    wait_until(patience_usec - 1);
    EXPECT_FALSE(outcome->has_value());
    wait_until(patience_usec);
    EXPECT_EQ(code(*outcome), ErrorCode::not_authorized);
    EXPECT_TRUE(asker_.canceled.contains(1));
}

TEST_F(QuestionsTest, WhoTypesAPasswordHasTwoMinutes) {
    const auto outcome = ask(":1.7", 1000, true);
    wait_until(patience_interactive_usec - 1);
    EXPECT_FALSE(outcome->has_value());
    wait_until(patience_interactive_usec);
    EXPECT_EQ(code(*outcome), ErrorCode::not_authorized);
    EXPECT_TRUE(asker_.canceled.contains(1));
}

TEST_F(QuestionsTest, AnAnsweredQuestionHasNoDeadlineLeft) {
    const auto outcome = ask(":1.7", 1000);
    asker_.answer(1, {.answer = Answer::yes});
    wait_until(patience_interactive_usec);
    EXPECT_TRUE(outcome->value().has_value());
    EXPECT_THAT(asker_.canceled, IsEmpty());
}

TEST_F(QuestionsTest, NothingHappensForACallerThatLeft) {
    const auto gone = ask(":1.7", 1000);
    const auto also_gone = ask(":1.7", 1000);
    const auto other = ask(":1.8", 1000);
    questions_.sender_vanished(":1.7");
    EXPECT_TRUE(asker_.canceled.contains(1));
    EXPECT_TRUE(asker_.canceled.contains(2));
    asker_.answer(1, {.answer = Answer::yes});
    EXPECT_FALSE(gone->has_value());
    EXPECT_FALSE(also_gone->has_value());
    asker_.answer(3, {.answer = Answer::yes});
    EXPECT_TRUE(other->value().has_value());
}

TEST_F(QuestionsTest, ASenderHasOnlySoManyOpen) {
    for (std::size_t i = 0; i < most_questions_of_sender; ++i) EXPECT_FALSE(ask(":1.7", 1000)->has_value());
    EXPECT_EQ(code(*ask(":1.7", 1000)), ErrorCode::busy);
    EXPECT_FALSE(ask(":1.8", 1000)->has_value());
    asker_.answer(1, {.answer = Answer::no});
    EXPECT_FALSE(ask(":1.7", 1000)->has_value());
}

TEST_F(QuestionsTest, AUserHasOnlySoManyOpenThroughHoweverManyConnections) {
    for (std::size_t i = 0; i < most_questions_of_user; ++i) {
        EXPECT_FALSE(ask(":1." + std::to_string(i), 1000)->has_value());
    }
    EXPECT_EQ(code(*ask(":1.99", 1000)), ErrorCode::busy);
    EXPECT_FALSE(ask(":1.100", 1001)->has_value());
}

TEST_F(QuestionsTest, AUserHasAShareThatOthersCannotUseUp) {
    std::size_t open = 0;
    for (; open < most_questions; ++open) {
        const auto user = static_cast<std::uint32_t>(1000 + open / most_questions_of_user);
        EXPECT_FALSE(ask(":1." + std::to_string(open), user)->has_value());
    }
    for (std::size_t i = 0; i < share_of_user; ++i) {
        EXPECT_FALSE(ask(":1." + std::to_string(500 + i), 5000)->has_value()) << i;
    }
    const auto beyond = ask(":1.999", 5000);
    EXPECT_EQ(code(*beyond), ErrorCode::busy);
    EXPECT_THAT(beyond->value().error().text(),
                HasSubstr("132 questions about the rights of all users are open, 4 of "
                          "them of uid 5000"));
    EXPECT_FALSE(ask(":1.1000", 5001)->has_value());
}

TEST_F(QuestionsTest, WhoeverIsToBlameIsTheUidThatTheErrorNames) {
    for (std::size_t i = 0; i < most_questions_of_user; ++i) ask(":1." + std::to_string(i), 1000);
    EXPECT_THAT(ask(":1.99", 1000)->value().error().text(),
                HasSubstr("32 questions about the rights of uid 1000 are open"));
    for (std::size_t i = 0; i < most_questions_of_sender; ++i) ask(":1.200", 1001);
    EXPECT_THAT(ask(":1.200", 1001)->value().error().text(),
                HasSubstr("8 questions of this connection (uid 1001) are open"));
}

TEST_F(QuestionsTest, AllTogetherHaveOnlySoManyOpen) {
    for (std::uint32_t i = 0; i < most_questions_with_shares; ++i) {
        EXPECT_FALSE(ask(":1." + std::to_string(i), 1000 + i)->has_value());
    }
    EXPECT_EQ(code(*ask(":1.9999", 5000)), ErrorCode::busy);
    EXPECT_EQ(asker_.asked.size(), most_questions_with_shares);
}

TEST_F(QuestionsTest, AQuestionThatCannotBeSentIsNoLeave) {
    asker_.error = "no buffer space";
    const auto outcome = ask(":1.7", 1000);
    ASSERT_EQ(code(*outcome), ErrorCode::not_authorized);
    EXPECT_THAT(outcome->value().error().text(), HasSubstr("no buffer space"));
    EXPECT_FALSE(questions_.has_open(":1.7"));
}

TEST_F(QuestionsTest, TheEndOfTheDaemonEndsThemAll) {
    const auto one = ask(":1.7", 1000);
    const auto two = ask(":1.8", 1001, true);
    questions_.close();
    EXPECT_EQ(code(*one), ErrorCode::canceled);
    EXPECT_EQ(code(*two), ErrorCode::canceled);
    EXPECT_EQ(asker_.canceled.size(), 2U);
}

// An answer may lead straight to the next question, or to the end.
TEST_F(QuestionsTest, AnAnswerMayAskAgain) {
    int rounds = 0;
    std::function<void(Result<>)> again = [&](const Result<>&) {
        if (++rounds < 3) {
            questions_.ask({.sender = ":1.7", .uid = 1000, .action = "org.cxlmemd1.online"}, "dax0.0",
                           "Online", again);
        }
    };
    again({});
    asker_.answer(1, {.answer = Answer::yes});
    asker_.answer(2, {.answer = Answer::yes});
    EXPECT_EQ(rounds, 3);
}

}  // namespace
}  // namespace cxlmemd::bus
