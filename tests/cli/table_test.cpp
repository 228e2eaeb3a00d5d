// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/text.h"

namespace cxlmemctl {
namespace {

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

}  // namespace
}  // namespace cxlmemctl
