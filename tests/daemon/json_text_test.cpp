// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/json_text.h"

#include <gtest/gtest.h>

namespace cxlmemd {
namespace {

TEST(JsonText, QuotesWhatJsonDoesNotTake) {
    EXPECT_EQ(json_string("a\"b\\c\n\x1b\x7f"), R"("a\"b\\c\u000a\u001b\u007f")");
    EXPECT_EQ(json_string("dé0"), "\"dé0\"");
}

TEST(JsonText, MakesWhatIsNotUtf8Visible) {
    EXPECT_EQ(json_string("a\xff"), R"("a\\xff")");
}

TEST(JsonText, KeepsTheOrderOfTheCalls) {
    EXPECT_EQ(JsonObject{}.text("b", "x").number("a", 3).truth("c", false).raw("d", "[]").take(),
              R"({"b":"x","a":3,"c":false,"d":[]})");
    EXPECT_EQ(JsonList{}.raw("1").raw("{}").take(), "[1,{}]");
    EXPECT_EQ(JsonList{}.take(), "[]");
}

}  // namespace
}  // namespace cxlmemd
