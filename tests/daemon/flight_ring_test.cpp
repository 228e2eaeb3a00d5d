// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/flight_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "daemon/event_loop.h"
#include "loop_turns.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

class Ring : public ::testing::Test {
 protected:
    // What is kept, as the ring itself reads it.
    FlightLines lines(FlightRing& ring) {
        FlightLines out;
        bool is_read = false;
        ring.read(
            [&out](const FlightLines& kept) -> Result<std::string> {
                out = kept;
                return std::string{};
            },
            [&is_read](const Result<std::string>&) { is_read = true; });
        test::turn_until(loop_, [&] { return is_read; });
        return out;
    }
    std::unique_ptr<FlightRing> make(FlightLimits limits = {}) {
        return std::make_unique<FlightRing>(
            loop_, dir_.path(), [this](const Error& error) { failures_.push_back(error); }, limits);
    }

    test::TempDir dir_;
    EventLoop loop_;
    std::vector<Error> failures_;
};

TEST_F(Ring, KeepsLinesInTheirOrder) {
    const auto ring = make();
    ring->append("one");
    ring->append_later([] { return std::string{"two"}; });
    ring->append("three");
    EXPECT_THAT(lines(*ring), ElementsAre("one", "two", "three"));
}

TEST_F(Ring, KeepsThemBeyondItsLife) {
    make()->append("one");
    const auto ring = make();
    ring->append("two");
    EXPECT_THAT(lines(*ring), ElementsAre("one", "two"));
}

TEST_F(Ring, LetsTheOldestFileGo) {
    const auto ring = make({.file_bytes = 100});
    for (int file = 0; file < 3; ++file) {
        ring->append(std::string(120, static_cast<char>('a' + file)));
        EXPECT_THAT(lines(*ring), Contains(std::string(120, static_cast<char>('a' + file))));
        ASSERT_TRUE(ring->full());
        ring->begin_new_file();
        ASSERT_FALSE(ring->full());
    }
    ring->append("last");
    EXPECT_THAT(lines(*ring), ElementsAre(std::string(120, 'c'), "last"));
}

TEST_F(Ring, SaysOnceThatItCannotWriteAndLosesNothingSilently) {
    std::filesystem::create_directory(dir_.path() / FlightRing::newer_name);
    const auto ring = make();
    ring->append("one");
    EXPECT_THAT(lines(*ring), ElementsAre());
    ASSERT_EQ(failures_.size(), 1U);
    EXPECT_EQ(failures_.front().errnum, EISDIR);
    ring->append("two");
    EXPECT_EQ(ring->take_lost(), 1U);
    EXPECT_FALSE(ring->wants_new_beginning());
    std::filesystem::remove(dir_.path() / FlightRing::newer_name);
    ring->begin_new_file();
    ring->append("three");
    EXPECT_THAT(lines(*ring), ElementsAre("three"));
    EXPECT_EQ(failures_.size(), 1U);
}

TEST_F(Ring, CountsWhatDoesNotFitIntoTheQueue) {
    const auto ring = make({.queue_bytes = 10});
    ring->append("more than ten bytes");
    ring->flush();
    EXPECT_EQ(ring->take_lost(), 1U);
    EXPECT_THAT(lines(*ring), ElementsAre());
}

TEST_F(Ring, BeginsALineOfItsOwnBehindOneThatWasCutOff) {
    std::ofstream{dir_.path() / FlightRing::newer_name} << "half";
    const auto ring = make();
    ring->append("whole");
    EXPECT_THAT(lines(*ring), ElementsAre("half", "whole"));
}

TEST_F(Ring, FollowsNoLink) {
    std::ofstream{dir_.path() / "theirs"} << "theirs";
    std::filesystem::create_symlink("theirs", dir_.path() / FlightRing::newer_name);
    const auto ring = make();
    ring->append("ours");
    EXPECT_THAT(lines(*ring), ElementsAre());
    ASSERT_EQ(failures_.size(), 1U);
    EXPECT_EQ(failures_.front().errnum, ELOOP);
    EXPECT_EQ(std::filesystem::file_size(dir_.path() / "theirs"), 6U);
}

}  // namespace
}  // namespace cxlmemd
