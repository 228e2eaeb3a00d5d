// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/values.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "policy/suggest.h"
#include "policy/text.h"

namespace cxlmemd {
namespace {

constexpr std::uint64_t max64 = ~0ULL;

TEST(Values, ReadSizesInEveryUnit) {
    EXPECT_EQ(parse_size("0")->value(), 0U);
    EXPECT_EQ(parse_size("4096")->value(), 4096U);
    EXPECT_EQ(parse_size("1B")->value(), 1U);
    EXPECT_EQ(parse_size("1KiB")->value(), 1ULL << 10);
    EXPECT_EQ(parse_size("1MiB")->value(), 1ULL << 20);
    EXPECT_EQ(parse_size("1GiB")->value(), 1ULL << 30);
    EXPECT_EQ(parse_size("1TiB")->value(), 1ULL << 40);
    EXPECT_EQ(parse_size(" 16 \tGiB ")->value(), 16ULL << 30);
}

TEST(Values, ReadSizesUpTo64Bits) {
    EXPECT_EQ(parse_size("18446744073709551615")->value(), max64);
    EXPECT_EQ(parse_size("16777215TiB")->value(), 16777215ULL << 40);
    EXPECT_FALSE(parse_size("18446744073709551616"));
    EXPECT_FALSE(parse_size("16777216TiB"));
}

TEST(Values, RefuseWhatIsNoSize) {
    for (const char* text : {"", " ", "GiB", "-1GiB", "+1GiB", "1e3", "0x10", "1,5GiB", "1_000", "16GiBs",
                             "1 2", "16PiB", "\xc2\xb2", "1\n"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
}

TEST(Values, ReadDurationsInEveryUnit) {
    EXPECT_EQ(parse_duration_usec("1000ns"), 1U);
    EXPECT_EQ(parse_duration_usec("1us"), 1U);
    EXPECT_EQ(parse_duration_usec("1ms"), 1'000U);
    EXPECT_EQ(parse_duration_usec("1 s"), 1'000'000U);
    EXPECT_EQ(parse_duration_usec("1min"), 60'000'000U);
    EXPECT_EQ(parse_duration_usec("0s"), 0U);
    EXPECT_EQ(parse_duration_usec("10080min"), 604'800'000'000U);
}

TEST(Values, RefuseDurationsThatAreNotClear) {
    for (const char* text :
         {"60", "0", "1m", "1h", "1.5s", "1min 30s", "999ns", "10081min", "999999999999min"}) {
        EXPECT_FALSE(parse_duration_usec(text)) << text;
    }
}

TEST(Values, ReadSerials) {
    EXPECT_EQ(parse_serial("0"), 0U);
    EXPECT_EQ(parse_serial("0x0"), 0U);
    EXPECT_EQ(parse_serial("0XfF"), 255U);
    EXPECT_EQ(parse_serial(" 42 "), 42U);
    EXPECT_EQ(parse_serial("18446744073709551615"), max64);
    EXPECT_EQ(parse_serial("0xffffffffffffffff"), max64);
    for (const char* text :
         {"", "0x", "-1", "0x-1", "1.0", "abc", "0xg", "18446744073709551616", "1 2", "+1"}) {
        EXPECT_FALSE(parse_serial(text)) << text;
    }
}

TEST(Values, ReadEveryOperator) {
    const auto op = [](const char* text) { return parse_compare(text, Quantity::size)->op; };
    EXPECT_EQ(op("1GiB"), Comparison::equal);
    EXPECT_EQ(op("= 1GiB"), Comparison::equal);
    EXPECT_EQ(op("==1GiB"), Comparison::equal);
    EXPECT_EQ(op("<1GiB"), Comparison::less);
    EXPECT_EQ(op(" <= 1GiB "), Comparison::less_equal);
    EXPECT_EQ(op(">\t1GiB"), Comparison::greater);
    EXPECT_EQ(op(">=1GiB"), Comparison::greater_equal);
}

TEST(Values, RefuseWhatIsNoComparison) {
    for (const char* text :
         {"", ">", ">> 1", "=> 1", "=< 1", "<> 1", "!= 1", "~1", "1 <", "> -1", "1GiB-2GiB"}) {
        EXPECT_FALSE(parse_compare(text, Quantity::size)) << text;
    }
}

TEST(Values, ReadLatenciesInTimeAndBandwidthsInMegabytes) {
    EXPECT_EQ(parse_compare("<= 400ns", Quantity::latency)->number, 400U);
    EXPECT_EQ(parse_compare("2us", Quantity::latency)->number, 2000U);
    EXPECT_EQ(parse_compare("400", Quantity::latency)->number, 400U);
    EXPECT_EQ(parse_compare("16GB/s", Quantity::bandwidth)->number, 16000U);
    EXPECT_EQ(parse_compare("16000 MB/s", Quantity::bandwidth)->number, 16000U);
    EXPECT_EQ(parse_compare("16000", Quantity::bandwidth)->number, 16000U);
}

TEST(Values, RefuseComparisonsThatNeverHold) {
    EXPECT_FALSE(parse_compare("< 1", Quantity::size));
    EXPECT_FALSE(parse_compare("<= 0", Quantity::latency));
    EXPECT_FALSE(parse_compare("> 4294967295", Quantity::bandwidth));
    EXPECT_FALSE(parse_compare("> 18446744073709551615", Quantity::size));
    EXPECT_FALSE(parse_compare("7", Quantity::ways));
    EXPECT_TRUE(parse_compare("> 7", Quantity::ways));
    EXPECT_TRUE(parse_compare(">= 4294967295", Quantity::bandwidth));
}

TEST(Values, ReadPhysRanges) {
    EXPECT_EQ(*parse_phys_range("0x0-0xffffffffffffffff"), (std::pair{PhysAddr{0}, PhysAddr{max64}}));
    EXPECT_EQ(*parse_phys_range(" 0x10 - 0x10 "), (std::pair{PhysAddr{0x10}, PhysAddr{0x10}}));
    for (const char* text : {"", "-", "0x1-", "-0x1", "0x1", "1-2", "0x1-2", "0x1-0x2-0x3", "0x1..0x2",
                             "0x1-0x10000000000000000", "0x2-0x1"}) {
        EXPECT_FALSE(parse_phys_range(text)) << text;
    }
}

TEST(Values, ReadPercentages) {
    EXPECT_EQ(*parse_amount("0%"), Amount{AmountPercent{0}});
    EXPECT_EQ(*parse_amount("100 %"), Amount{AmountPercent{100}});
    for (const char* text : {"%", "-1%", "101%", "1.5%", "99999999999%", "5%%", "ALL", "", "75"}) {
        EXPECT_FALSE(parse_amount(text)) << text;
    }
}

TEST(Values, WriteSizesInTheLargestUnitThatDivides) {
    EXPECT_EQ(format_size(Bytes{0}), "0B");
    EXPECT_EQ(format_size(Bytes{1000}), "1000B");
    EXPECT_EQ(format_size(Bytes{1536}), "1536B");
    EXPECT_EQ(format_size(Bytes{512ULL << 20}), "512MiB");
    EXPECT_EQ(format_size(Bytes{16ULL << 30}), "16GiB");
    EXPECT_EQ(format_size(Bytes{2048ULL << 40}), "2048TiB");
    EXPECT_EQ(format_size(Bytes{max64}), "18446744073709551615B");
}

TEST(Values, ReadBackTheSizesAndAmountsThatTheyWrite) {
    for (const std::uint64_t bytes :
         {std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{3} << 30, std::uint64_t{5} << 43, max64}) {
        EXPECT_EQ(parse_size(format_size(Bytes{bytes})), Bytes{bytes});
    }
    for (const Amount& amount : {Amount{AmountAll{}}, Amount{AmountNone{}}, Amount{AmountPercent{7}},
                                 Amount{AmountBytes{Bytes{96ULL << 30}}}}) {
        EXPECT_EQ(*parse_amount(to_string(amount)), amount);
    }
}

TEST(Suggest, FindsTypingMistakes) {
    constexpr std::array<std::string_view, 4> words{"zone", "amount", "on_conflict", "require_node"};
    EXPECT_EQ(nearest("zon", words), "zone");
    EXPECT_EQ(nearest("zoen", words), "zone");
    EXPECT_EQ(nearest("ZONE", words), "zone");
    EXPECT_EQ(nearest("on-conflict", words), "on_conflict");
    EXPECT_EQ(nearest("amonut", words), "amount");
    EXPECT_EQ(nearest("required_node", words), "require_node");
}

TEST(Suggest, IsSilentWhereNothingIsNear) {
    constexpr std::array<std::string_view, 2> words{"zone", "B"};
    EXPECT_EQ(nearest("flavour", words), std::nullopt);
    EXPECT_EQ(nearest("", words), std::nullopt);
    EXPECT_EQ(nearest("x", words), std::nullopt);
    EXPECT_EQ(nearest(std::string(1000, 'z'), words), std::nullopt);
}

TEST(Text, MakesControlCharactersVisible) {
    EXPECT_EQ(in_quotes("a\x1b[0m\x7f\xc2\x9b"), R"('a\x1b[0m\x7f\x9b')");
    EXPECT_EQ(in_quotes("é"), "'é'");
}

TEST(Text, MakesWhatIsNotUtf8Visible) {
    EXPECT_EQ(in_quotes("a\xff\xc3"), R"('a\xff\xc3')");
    EXPECT_EQ(in_quotes("\xc0\x80\xed\xa0\x80"), R"('\xc0\x80\xed\xa0\x80')");
    EXPECT_EQ(in_quotes("\xf4\x90\x80\x80"), R"('\xf4\x90\x80\x80')");
    EXPECT_EQ(in_quotes("€\xf0\x9f\x98\x80"), "'€\xf0\x9f\x98\x80'");
}

TEST(Text, CutsLongTextBetweenCharacters) {
    EXPECT_EQ(in_quotes(std::string(60, 'a')), "'" + std::string(60, 'a') + "'");
    EXPECT_EQ(in_quotes(std::string(59, 'a') + "éb"), "'" + std::string(59, 'a') + "...'");
}

}  // namespace
}  // namespace cxlmemd
