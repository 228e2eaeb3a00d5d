// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/flight_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>

#include "daemon/event_loop.h"
#include "daemon/flight_recorder.h"
#include "loop_turns.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
    int read_error(FlightRing& ring) {
        std::optional<Result<std::string>> answer;
        ring.read([](const FlightLines&) -> Result<std::string> { return std::string{}; },
                  [&answer](Result<std::string> outcome) { answer = std::move(outcome); });
        test::turn_until(loop_, [&] { return answer.has_value(); });
        return *answer ? 0 : answer->error().errnum;
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
    EXPECT_EQ(read_error(*ring), EISDIR);
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

TEST_F(Ring, AFileThatCannotBeReadIsNotAnEmptyOne) {
    const auto ring = make({.file_bytes = 10});
    ring->append("one");
    EXPECT_EQ(read_error(*ring), 0);
    const auto older = dir_.path() / FlightRing::older_name;
    std::filesystem::create_directory(older);
    EXPECT_EQ(read_error(*ring), EISDIR);
    std::filesystem::remove(older);
    std::filesystem::create_symlink("nowhere", older);
    EXPECT_EQ(read_error(*ring), ELOOP);
    std::filesystem::remove(older);
    std::ofstream{older} << std::string(100, 'x');
    EXPECT_EQ(read_error(*ring), EFBIG);
}

TEST_F(Ring, WhatIsReadEndsWithTheEndOfTheRecording) {
    const auto ring = make();
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit small = before;
    small.rlim_cur = 8;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    ring->append("a line that is longer than that");
    const FlightLines kept = lines(*ring);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_THAT(kept, ElementsAre("a line t", HasSubstr("the recording has stopped")));
}

TEST_F(Ring, CannotBeMadeWithoutADescriptorAndTheRecorderGoesOnWithoutIt) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int free_one = ::dup(0);
    ASSERT_GE(free_one, 0);
    ::close(free_one);
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(free_one);
    const Holds holds;
    const Model model{holds};
    const Log log{false};
    KernelAnswers answers;
    FlightRecorder recorder{loop_, answers, model, log, {.state_dir = dir_.path(), .by = {}, .boot_id = ""}};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_THROW((void)make(), std::system_error);
    recorder.begin({});
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    std::optional<Result<std::string>> answer;
    recorder.incident({}, [&](Result<std::string> outcome) { answer = std::move(outcome); });
    ASSERT_TRUE(answer && !*answer);
    EXPECT_EQ(answer->error().code, ErrorCode::not_supported);
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
