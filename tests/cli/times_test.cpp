// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace cxlmemctl {
namespace {

// 2026-11-28 13:30:00 UTC
constexpr std::uint64_t noon = 1'795'872'600ULL * 1'000'000;
constexpr std::uint64_t minute = 60'000'000;

class Times : public ::testing::Test {
 protected:
    void SetUp() override { zone("UTC"); }
    void TearDown() override { zone("UTC"); }
    static void zone(const char* name) {
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    static std::uint64_t at(const char* text) {
        const auto found = parse_time(text, noon);
        EXPECT_TRUE(found) << text << ": " << (found ? "" : found.error().message);
        return found.value_or(0);
    }
};

TEST_F(Times, ReadsHowLongAgo) {
    EXPECT_EQ(at("1 hour ago"), noon - 60 * minute);
    EXPECT_EQ(at("10min ago"), noon - 10 * minute);
    EXPECT_EQ(at("1h 30min ago"), noon - 90 * minute);
    EXPECT_EQ(at("-2min"), noon - 2 * minute);
    EXPECT_EQ(at("-1.5h"), noon - 90 * minute);
    EXPECT_EQ(at("30 ago"), noon - minute / 2);
    EXPECT_EQ(at("2 days ago"), noon - 2 * 1440 * minute);
    EXPECT_EQ(at("200 years ago"), 0U);
}

TEST_F(Times, ReadsPointsInTime) {
    EXPECT_EQ(at("now"), noon);
    EXPECT_EQ(at("2026-11-28 13:00"), noon - 30 * minute);
    EXPECT_EQ(at("2026-11-28T13:00:30.25"), noon - 30 * minute + 30'250'000);
    EXPECT_EQ(at("13:00"), noon - 30 * minute);
    EXPECT_EQ(at("2026-11-28"), noon - 810 * minute);
    EXPECT_EQ(at("today"), noon - 810 * minute);
    EXPECT_EQ(at("yesterday"), noon - 810 * minute - 1440 * minute);
    EXPECT_EQ(at("yesterday") - at("2026-11-27"), 0U);
    EXPECT_EQ(at("@1795872599.5"), noon - 500'000);
}

TEST_F(Times, AreLocalUnlessTheySayOtherwise) {
    zone("XXX-2");  // two hours before UTC
    EXPECT_EQ(at("2026-11-28 15:00"), noon - 30 * minute);
    EXPECT_EQ(at("2026-11-28 13:00 UTC"), noon - 30 * minute);
}

TEST_F(Times, RefusesWhatIsNone) {
    for (const char* wrong :
         {"", "ago", "1 fortnight ago", "soon", "2026-02-31", "2026-13-01", "25:00", "13:60", "@", "@x", "-",
          "99999999999999999999 h ago", "2026-11-28 13", "13:00 tomorrow"}) {
        const auto found = parse_time(wrong, noon);
        ASSERT_FALSE(found) << wrong;
        EXPECT_THAT(found.error().message, ::testing::HasSubstr("is not a time")) << wrong;
    }
    EXPECT_THAT(parse_time("14:00", noon).error().message, ::testing::HasSubstr("is in the future"));
}

}  // namespace
}  // namespace cxlmemctl
