// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/text.h"

#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

TEST(Escape, LeavesReadableTextAlone) {
    EXPECT_EQ(escape("dax0.0: online"), "dax0.0: online");
    EXPECT_EQ(escape("Größe ≥ 16 GiB 内存 🧠"), "Größe ≥ 16 GiB 内存 🧠");
}

TEST(Escape, ShowsControlCharactersInsteadOfSendingThem) {
    EXPECT_EQ(escape("a\x1b[2Jb"), "a\\x1b[2Jb");
    EXPECT_EQ(escape("a\nb\tc\rd"), "a\\nb\\tc\\rd");
    EXPECT_EQ(escape(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(escape("\x7f"), "\\x7f");
    EXPECT_EQ(escape("\xc2\x9b"
                     "31m"),
              "\\x9b31m");  // C1: the one-byte form of ESC [
}

TEST(Escape, ShowsWhatTurnsTheDirectionOfText) {
    EXPECT_EQ(escape("a\xe2\x80\xae"
                     "b"),
              "a\\u202eb");
    EXPECT_EQ(escape("a\xe2\x81\xa6"
                     "b"),
              "a\\u2066b");
    EXPECT_EQ(escape("a\xe2\x80\xa8"
                     "b"),
              "a\\u2028b");
}

TEST(Escape, ShowsBytesThatAreNotUtf8) {
    EXPECT_EQ(escape("\xff"), "\\xff");
    EXPECT_EQ(escape("\xc0\x80"), "\\xc0\\x80");                    // overlong NUL
    EXPECT_EQ(escape("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");           // overlong C1
    EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
    EXPECT_EQ(escape("\xe2\x82"), "\\xe2\\x82");                    // cut off
    EXPECT_EQ(escape("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
}

TEST(IsBusString, RefusesNulAndInvalidUtf8) {
    EXPECT_TRUE(is_bus_string(""));
    EXPECT_TRUE(is_bus_string("zone = \"movable\" # ≥\n"));
    EXPECT_FALSE(is_bus_string(std::string_view("a\0b", 3)));
    EXPECT_FALSE(is_bus_string("\xff"));
}

TEST(Width, CountsCharactersAndNoColours) {
    EXPECT_EQ(width("online"), 6U);
    EXPECT_EQ(width("größer"), 6U);
    EXPECT_EQ(width(Paint(true)(Colour::green, "online")), 6U);
}

TEST(Paint, AddsNothingWhenItIsOff) {
    EXPECT_EQ(Paint(false)(Colour::red, "failed"), "failed");
    EXPECT_EQ(Paint(true)(Colour::red, "failed"), "\x1b[31mfailed\x1b[0m");
    EXPECT_EQ(Paint(true)(Colour::none, "x"), "x");
}

}  // namespace
}  // namespace cxlmemctl
