// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/incident_faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace cxlmemd {
namespace {

RecordedAnswer offline(std::uint64_t block, int errnum, std::uint64_t blocks = 1) {
    return {.operation = "offline", .object = "dax0.0", .block = block, .blocks = blocks, .errnum = errnum};
}

TEST(FaultHistory, HasTheRefusalsByTheNumberOfTheCall) {
    FaultHistory history;
    history.add(offline(3, 0, 4));  // 3 to 6
    history.add(offline(5, EBUSY));
    history.add(offline(5, EBUSY));
    history.add(offline(5, 0));
    const auto faults = history.faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].block, 5U);
    EXPECT_EQ(faults[0].errnum, EBUSY);
    EXPECT_EQ(faults[0].nth, 2U);
    EXPECT_EQ(faults[0].count, 2U);
}

TEST(FaultHistory, LetsWhatFailedLastGoOnFailing) {
    FaultHistory history;
    history.add(offline(5, EBUSY));
    history.add(offline(5, ENOMEM));
    const auto faults = history.faults();
    ASSERT_EQ(faults.size(), 2U);
    EXPECT_EQ(faults[0].count, 1U);
    EXPECT_EQ(faults[1].errnum, ENOMEM);
    EXPECT_EQ(faults[1].nth, 2U);
    EXPECT_EQ(faults[1].count, 0U);
}

TEST(FaultHistory, TellsDevicesApartWhereAFaultCan) {
    FaultHistory history;
    history.add({.operation = "set_mode", .object = "dax0.0", .block = {}, .blocks = 0, .errnum = 0});
    history.add({.operation = "set_mode", .object = "dax1.0", .block = {}, .blocks = 0, .errnum = EBUSY});
    history.add({.operation = "create_region", .object = "region1", .block = {}, .blocks = 0, .errnum = 0});
    history.add(
        {.operation = "create_region", .object = "region2", .block = {}, .blocks = 0, .errnum = ENXIO});
    const auto faults = history.faults();
    ASSERT_EQ(faults.size(), 2U);
    EXPECT_EQ(faults[0].dax, "dax1.0");
    EXPECT_EQ(faults[0].nth, 1U);
    EXPECT_EQ(faults[1].dax, "");
    EXPECT_EQ(faults[1].nth, 2U);
}

}  // namespace
}  // namespace cxlmemd
