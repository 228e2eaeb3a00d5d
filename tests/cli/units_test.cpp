// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/units.h"

#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

constexpr std::uint64_t mib = 1ULL << 20U;
constexpr std::uint64_t gib = 1ULL << 30U;

TEST(ParseBytes, ReadsBinaryUnits) {
    EXPECT_EQ(parse_bytes("1KiB").value(), 1024U);
    EXPECT_EQ(parse_bytes("128MiB").value(), 128 * mib);
    EXPECT_EQ(parse_bytes("96GiB").value(), 96 * gib);
    EXPECT_EQ(parse_bytes("2TiB").value(), 2048 * gib);
    EXPECT_EQ(parse_bytes("1.5GiB").value(), 1536 * mib);
    EXPECT_EQ(parse_bytes("16 GiB").value(), 16 * gib);
}

TEST(ParseBytes, KeepsAllBitsOfABareNumber) {
    EXPECT_EQ(parse_bytes("18446744073709551615").value(), ~0ULL);
    EXPECT_EQ(parse_bytes("9007199254740993").value(), 9007199254740993U);
}

TEST(ParseBytes, RefusesWhatIsNoSize) {
    for (const char* text : {"", "GiB", "-1GiB", "3GB", "1e9", "1.2.3GiB", "0x10", "nan", "inf",
                             "99999999TiB", "18446744073709551616", "1GiB x"}) {
        const auto bytes = parse_bytes(text);
        ASSERT_FALSE(bytes) << text;
        EXPECT_EQ(bytes.error().code, Exit::usage);
        EXPECT_NE(bytes.error().message.find("GiB"), std::string::npos);
    }
}

TEST(ParseAmount, KnowsAllPercentAndBytes) {
    EXPECT_EQ(parse_amount("all").value(), Amount{AllMemory{}});
    EXPECT_EQ(parse_amount("75%").value(), Amount{Percent{75}});
    EXPECT_EQ(parse_amount("12.5%").value(), Amount{Percent{12.5}});
    EXPECT_EQ(parse_amount("1GiB").value(), Amount{ByteCount{gib}});
}

TEST(ParseAmount, RefusesNothingAndTooMuch) {
    for (const char* text : {"0", "0%", "101%", "-5%", "none", "%", "5 GiB%"})
        EXPECT_FALSE(parse_amount(text)) << text;
}

TEST(ParseUsec, ReadsUnitsAndTakesABareNumberAsSeconds) {
    EXPECT_EQ(parse_usec("60").value(), 60'000'000U);
    EXPECT_EQ(parse_usec("60s").value(), 60'000'000U);
    EXPECT_EQ(parse_usec("1.5s").value(), 1'500'000U);
    EXPECT_EQ(parse_usec("250ms").value(), 250'000U);
    EXPECT_EQ(parse_usec("2min").value(), 120'000'000U);
    EXPECT_EQ(parse_usec("5us").value(), 5U);
    EXPECT_EQ(parse_usec("2000ns").value(), 2U);
}

TEST(ParseUsec, RefusesWhatIsNoTime) {
    for (const char* text : {"", "s", "-1s", "0", "1h", "5 minutes", "soon", "1ns"})
        EXPECT_FALSE(parse_usec(text)) << text;
}

TEST(PartOf, RoundsDownToWholeBlocks) {
    EXPECT_EQ(part_of(Percent{50}, 16 * gib, 128 * mib), 8 * gib);
    EXPECT_EQ(part_of(Percent{50}, 3 * 128 * mib, 128 * mib), 128 * mib);
    EXPECT_EQ(part_of(Percent{100}, 16 * gib, 128 * mib), 16 * gib);
    EXPECT_EQ(part_of(Percent{1}, 128 * mib, 128 * mib), 0U);
    EXPECT_EQ(part_of(Percent{25}, 1000, 0), 250U);
}

TEST(FormatBytes, UsesTheLargestUnitThatFits) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(256), "256 B");
    EXPECT_EQ(format_bytes(128 * mib), "128 MiB");
    EXPECT_EQ(format_bytes(16 * gib), "16 GiB");
    EXPECT_EQ(format_bytes(1536 * mib), "1.5 GiB");
    EXPECT_EQ(format_bytes(16 * gib + 64 * mib), "16.06 GiB");
    EXPECT_EQ(format_bytes(~0ULL), "16384 PiB");
}

}  // namespace
}  // namespace cxlmemctl
