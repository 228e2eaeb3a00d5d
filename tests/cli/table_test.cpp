// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/text.h"

namespace cxlmemctl {
namespace {

using ::testing::ElementsAre;

TEST(Table, LinesUpColumnsWithoutBlanksAtTheEnd) {
    Table table({{"NAME"}, {"SIZE", Align::right}, {"NOTE"}});
    table.add({"dax0.0", "16 GiB", ""});
    table.add({"dax10.0", "8 GiB", "held"});
    EXPECT_EQ(table.text(),
              "NAME       SIZE  NOTE\n"
              "dax0.0   16 GiB\n"
              "dax10.0   8 GiB  held\n");
}

TEST(Table, LeavesOutAColumnThatIsEmptyThroughout) {
    Table table({{"NAME"}, {"NOTE"}, {"NODE"}});
    table.add({"dax0.0", "", "1"});
    EXPECT_EQ(table.text(), "NAME    NODE\ndax0.0  1\n");
}

TEST(Table, IsNotMovedByColoursOrLetters) {
    const Paint paint(true);
    Table table({{"A"}, {"B"}});
    table.add({paint(Colour::green, "ok"), "1"});
    table.add({"größe", "2"});
    EXPECT_EQ(table.text(false), "\x1b[32mok\x1b[0m     1\ngröße  2\n");
}

TEST(Table, TakesRowsThatAreTooShortOrTooLong) {
    Table table({{"A"}, {"B"}});
    table.add({"1"});
    table.add({"2", "3", "4"});
    EXPECT_EQ(table.text(), "A  B\n1\n2  3\n");
}

TEST(Table, FoldsWhatIsTooWideAndLosesNothing) {
    Table table({{"NAME"}, {"SIZE", Align::right}, {"NOTE"}});
    table.add({"dax0.0", "16 GiB", "held by an administrator since yesterday"});
    EXPECT_EQ(table.text(true, 32),
              "NAME      SIZE  NOTE\n"
              "dax0.0  16 GiB  held by an\n"
              "                administrator\n"
              "                since yesterday\n");
    for (std::size_t columns = 8; columns < 80; ++columns) {
        const std::string text = table.text(true, columns);
        for (std::size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1)
            EXPECT_LE(text.find('\n', begin) - begin, columns) << text;
    }
}

TEST(Table, PutsColumnsBelowTheOthersIfNoWordMayBreak) {
    Table table({{"NAME"}, {"SIZE", Align::right}, {"MODE"}, {"RULE"}});
    table.add({"dax0.0", "16 GiB", "system-ram", "expanders"});
    table.add({"dax1.0", "8 GiB", "devdax", "-"});
    EXPECT_EQ(table.text(true, 30),
              "NAME      SIZE  MODE\n"
              "    RULE\n"
              "dax0.0  16 GiB  system-ram\n"
              "    expanders\n"
              "dax1.0   8 GiB  devdax\n"
              "    -\n");
}

TEST(Fold, BreaksAtBlanksThenBehindCommasThenAnywhere) {
    EXPECT_THAT(fold("mem0,mem1,mem2", 10), ElementsAre("mem0,mem1,", "mem2"));
    EXPECT_THAT(fold("one two  three", 7), ElementsAre("one two", "three"));
    EXPECT_THAT(fold("abcdefgh", 3), ElementsAre("abc", "def", "gh"));
    EXPECT_THAT(fold("grö ßen", 3), ElementsAre("grö", "ßen"));
    EXPECT_THAT(fold("", 3), ElementsAre(""));
}

TEST(Fold, CarriesColoursOverABreak) {
    const Paint paint(true);
    EXPECT_THAT(fold(paint(Colour::red, "bad news") + " ok", 4),
                ElementsAre("\x1b[31mbad\x1b[0m", "\x1b[31mnews\x1b[0m", "ok"));
}

}  // namespace
}  // namespace cxlmemctl
