// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/scenario_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cxlmemd::contract {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<ScenarioProblem> problems_of(std::string_view text) {
    const auto read = parse_scenario(text);
    return read ? std::vector<ScenarioProblem>{} : read.error();
}

// The message of the only problem, which must be on this line.
std::string problem_on(std::size_t line, std::string_view text) {
    const auto found = problems_of(text);
    EXPECT_EQ(found.size(), 1U) << text;
    if (found.size() != 1) return {};
    EXPECT_EQ(found.front().line, line) << found.front().message;
    return found.front().message;
}

}  // namespace

TEST(ScenarioText, IsAStepALine) {
    const auto read = parse_scenario(
        "# what it is about\n"
        "after creation\n"
        "keep\n"
        "\n"
        "  we   set-block B first,3..last,2 online_movable   # why\n"
        "other writes-auto-online nonsense\n"
        "we set-mode old-A devdax\n");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->after, "creation");
    EXPECT_TRUE(read->keep);
    ASSERT_EQ(read->steps.size(), 3U);
    EXPECT_EQ(read->steps[0], (ScenarioStep{.line = 5,
                                            .text = "we set-block B first,3..last,2 online_movable",
                                            .verb = Verb::set_block,
                                            .device = 'B',
                                            .blocks = {{0, 0}, {3, -1}, {2, 2}},
                                            .word = "online_movable"}));
    EXPECT_EQ(read->steps[1].word, "nonsense") << "what it means is the kernel's to say";
    EXPECT_EQ(read->steps[2].device, 'A');
    EXPECT_TRUE(read->steps[2].predecessor);
}

TEST(ScenarioText, BlocksGoUpAndDown) {
    const auto blocks = [](const std::string& words) {
        const auto read = parse_scenario("we set-block A " + words + " offline");
        return read ? read->steps.front().blocks : std::vector<BlockRange>{};
    };
    EXPECT_THAT(blocks("all"), ElementsAre(BlockRange{0, -1}));
    EXPECT_THAT(blocks("all-down"), ElementsAre(BlockRange{-1, 0}));
    EXPECT_THAT(blocks("7..2,last"), ElementsAre(BlockRange{7, 2}, BlockRange{-1, -1}));
    for (const char* wrong : {"", ",", "1,", "1..", "..1", "-1", "1...2", "some", "1-2", "99999999999"}) {
        EXPECT_TRUE(blocks(wrong).empty()) << wrong;
    }
}

TEST(ScenarioText, AnUnknownWordNamesItsLineAndWhatThereIs) {
    EXPECT_THAT(problem_on(2, "show settings\nthey unbind A\n"),
                HasSubstr("'they' is none of: we, other, show"));
    EXPECT_THAT(problem_on(1, "other dances A"),
                HasSubstr("'other dances' is not known; there are writes-block"));
    EXPECT_THAT(problem_on(1, "we"), HasSubstr("'we' what? set-block"));
    EXPECT_THAT(problem_on(3, "show settings\n\nwe set-mode A hybrid"), HasSubstr("'hybrid' is no MODE"));
    EXPECT_THAT(problem_on(1, "show dax AB"), HasSubstr("'AB' is no DEVICE"));
    EXPECT_THAT(problem_on(1, "other unbinds old-A"), HasSubstr("'old-A' is no DEVICE"));
    EXPECT_THAT(problem_on(1, "we set-weight A many"), HasSubstr("'many' is no NUMBER"));
}

TEST(ScenarioText, AMissingArgumentIsNamed) {
    EXPECT_THAT(problem_on(1, "we set-block A first"), HasSubstr("'we set-block' wants STATE"));
    EXPECT_THAT(problem_on(1, "we set-block"), HasSubstr("wants DEVICE"));
    EXPECT_THAT(problem_on(2, "show settings\nother writes-state A"), HasSubstr("wants WORD"));
    EXPECT_THAT(problem_on(1, "other binds A kmem"), HasSubstr("'kmem' is one word too many"));
    EXPECT_THAT(problem_on(1, "after\nshow settings"), HasSubstr("'after' wants the name"));
    EXPECT_THAT(problem_on(1, "keep it\nshow settings"), HasSubstr("'keep' stands alone"));
}

TEST(ScenarioText, TellsOfEveryProblem) {
    const auto found = problems_of("they\nshow settings\nkeep\nwe create\n");
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].line, 1U);
    EXPECT_EQ(found[1], (ScenarioProblem{3, "'keep' comes before all steps"}));
    EXPECT_EQ(found[2].line, 4U);
}

TEST(ScenarioText, WithoutAStepItIsNone) {
    EXPECT_THAT(problem_on(1, "# nothing"), HasSubstr("no step"));
}

}  // namespace cxlmemd::contract
