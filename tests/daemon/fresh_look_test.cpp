// SPDX-License-Identifier: LGPL-2.1-or-later
// Scans for callers: shared, at a rate of their own, and waited for with a limit; on a clock that passes when
// it is told to.
#include "daemon/fresh_look.h"

#include <gmock/gmock.h>

#include "fake_clock.h"

namespace cxlmemd {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr auto anyone = FreshLook::Caller::anyone;
constexpr auto authorised = FreshLook::Caller::authorised;

class FreshLookTest : public ::testing::Test {
 protected:
    // Why each of them was answered from an older scan; "": it was not.
    FreshLook::Then note() {
        return [this](const std::optional<Error>& outdated) {
            answers.push_back(outdated ? outdated->text() : std::string{});
        };
    }
    // The scan under way is over after so long.
    void scan_ends(std::uint64_t took_usec, const std::optional<Error>& failed = {}) {
        ASSERT_TRUE(scan);
        clock.pass(took_usec);
        std::exchange(scan, {})(failed);
    }
    static Error error(ErrorCode code, int errnum) {
        return {.code = code,
                .object = "/sys",
                .operation = "read",
                .errnum = errnum,
                .reason = {},
                .advice = {}};
    }

    test::FakeClock clock;
    std::function<void(const std::optional<Error>&)> scan;
    std::size_t scans = 0;
    std::string stuck;
    FreshLook look{clock,
                   {.rescan =
                        [this](auto then) {
                            ASSERT_FALSE(scan) << "one at a time";
                            ++scans;
                            scan = std::move(then);
                        },
                    .stuck_call = [this] { return stuck; }}};
    std::vector<std::string> answers;
};

TEST_F(FreshLookTest, CallersWhoComeTogetherShareAScanAndThoseWhoComeDuringItTheNextOne) {
    for (int i = 0; i < 10; ++i) look.look(anyone, note());
    EXPECT_EQ(scans, 1U);
    EXPECT_THAT(answers, SizeIs(0));
    // The one under way may have passed what they ask about.
    look.look(anyone, note());
    for (int i = 1; i < 90; ++i) look.look(anyone, note());
    scan_ends(1000);
    EXPECT_THAT(answers, SizeIs(1)) << "the first began the scan before the others came";
    EXPECT_EQ(scans, 2U);
    scan_ends(1000);
    EXPECT_THAT(answers, SizeIs(100));
    EXPECT_THAT(answers, Each(""));
    EXPECT_EQ(scans, 2U);
    EXPECT_EQ(clock.waiting(), 0U) << "nobody waits, no timer is armed";
}

TEST_F(FreshLookTest, AHundredThousandCallsOneAfterTheOtherMakeFiftyScansASecond) {
    constexpr std::size_t calls = 100'000;
    constexpr std::uint64_t scan_usec = 100;
    const std::uint64_t began = clock.now_usec();
    // Each comes with another nineteen, as fast as the answers let them.
    for (std::size_t call = 0; call < calls; call += 20) {
        for (int i = 0; i < 20; ++i) look.look(anyone, note());
        while (answers.size() < call + 20) {
            if (scan) {
                scan_ends(scan_usec);
            } else {
                clock.pass(1000);
            }
        }
    }
    EXPECT_THAT(answers, Each(""));
    const std::uint64_t took = clock.now_usec() - began;
    EXPECT_LE(scans,
              took / FreshLook::least_gap_usec + FreshLook::credit_usec / FreshLook::least_gap_usec + 2);
    EXPECT_LE(scans, calls / 10 + 20);
}

TEST_F(FreshLookTest, AFewCallsInARowNeedNotWaitForTheRate) {
    const std::uint64_t began = clock.now_usec();
    for (int i = 0; i < 8; ++i) {
        look.look(anyone, note());
        scan_ends(1000);
    }
    EXPECT_THAT(answers, SizeIs(8));
    EXPECT_EQ(clock.now_usec() - began, 8000U);
}

TEST_F(FreshLookTest, LongScansLeaveTheWorkerAShareOfItsTime) {
    const std::uint64_t began = clock.now_usec();
    std::size_t asked = 0;
    while (clock.now_usec() - began < 60'000'000) {
        if (answers.size() == asked) {
            ++asked;
            look.look(anyone, note());
        }
        if (scan) {
            scan_ends(60'000);
        } else {
            clock.pass(1000);
        }
    }
    EXPECT_LE(scans * 60'000, 60'000'000 / 5 + 200'000) << "a fifth of it";
    EXPECT_GE(scans, 190U);
}

TEST_F(FreshLookTest, AScanThatHangsIsWaitedForAndNoLonger) {
    look.look(authorised, note());
    clock.pass(FreshLook::patience_usec / 2);
    look.look(authorised, note());
    clock.pass(FreshLook::patience_usec / 2 - 1);
    EXPECT_THAT(answers, SizeIs(0));
    clock.pass(1);
    ASSERT_THAT(answers, SizeIs(1)) << "each has its own time";
    EXPECT_THAT(answers[0], HasSubstr("no scan ended in 2 s"));
    scan_ends(1000);
    ASSERT_THAT(answers, SizeIs(1)) << "the second one came after that scan had begun";
    scan_ends(1000);
    ASSERT_THAT(answers, SizeIs(2));
    EXPECT_EQ(answers[1], "");
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(FreshLookTest, ALateEndOfAScanAnswersNobodyTwice) {
    look.look(anyone, note());
    clock.pass(FreshLook::patience_usec);
    EXPECT_THAT(answers, SizeIs(1));
    look.look(anyone, note());
    scan_ends(0);
    EXPECT_THAT(answers, SizeIs(1));
    scan_ends(0);
    EXPECT_THAT(answers, SizeIs(2));
}

TEST_F(FreshLookTest, AScanThatFailsIsSaidAndOneThatAJobInterruptedIsRepeated) {
    look.look(anyone, note());
    scan_ends(1000, error(ErrorCode::canceled, 0));
    EXPECT_THAT(answers, SizeIs(0));
    EXPECT_EQ(scans, 2U);
    scan_ends(1000, error(ErrorCode::failed, EIO));
    ASSERT_THAT(answers, SizeIs(1));
    EXPECT_THAT(answers[0], HasSubstr("EIO"));
}

TEST_F(FreshLookTest, NobodyWaitsWhileTheKernelDoesNotComeBack) {
    stuck = "set_block: memory block 9 of dax0.0";
    look.look(anyone, note());
    ASSERT_THAT(answers, SizeIs(1));
    EXPECT_THAT(answers[0], HasSubstr("memory block 9"));
    EXPECT_EQ(scans, 0U);
}

TEST_F(FreshLookTest, ACrowdIsAnsweredFromTheLastScanAndKeepsNobodyElseOut) {
    for (std::size_t i = 0; i < FreshLook::most_of_anyone; ++i) look.look(anyone, note());
    EXPECT_THAT(answers, SizeIs(0));
    for (int i = 0; i < 1000; ++i) look.look(anyone, note());
    EXPECT_THAT(answers, SizeIs(1000));
    EXPECT_THAT(answers, Each(HasSubstr("too many callers")));
    answers.clear();
    look.look(authorised, note());
    EXPECT_THAT(answers, SizeIs(0));
    scan_ends(1000);
    scan_ends(1000);
    EXPECT_THAT(answers, SizeIs(FreshLook::most_of_anyone + 1));
    EXPECT_THAT(answers, Each(""));
}

TEST_F(FreshLookTest, WhoeverWaitsWhenTheDaemonStopsIsTold) {
    std::vector<ErrorCode> codes;
    const auto code = [&](const std::optional<Error>& outdated) { codes.push_back(outdated->code); };
    look.look(authorised, code);
    look.close();
    look.look(authorised, code);
    EXPECT_THAT(codes, ::testing::ElementsAre(ErrorCode::canceled, ErrorCode::canceled));
    scan_ends(0);
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(FreshLookTest, ARefusalIsTriedAgainAfterAScanAndSuccessNeedsNone) {
    std::vector<Result<int>> results;
    int tries = 0;
    int succeeds_at = 1;
    const std::function<Result<int>(bool)> attempt = [&](bool) -> Result<int> {
        if (++tries >= succeeds_at) return tries;
        return fail(error(ErrorCode::conflict, 0));
    };
    const std::function<void(Result<int>)> then = [&](Result<int> result) {
        results.push_back(std::move(result));
    };
    look.look_before_refusing<int>(authorised, attempt, then);
    EXPECT_EQ(scans, 0U);
    succeeds_at = 3;
    look.look_before_refusing<int>(authorised, attempt, then);
    scan_ends(1000);
    succeeds_at = 100;
    look.look_before_refusing<int>(authorised, attempt, then);
    clock.pass(FreshLook::patience_usec);
    ASSERT_THAT(results, SizeIs(3));
    EXPECT_TRUE(results[0]);
    EXPECT_TRUE(results[1]);
    EXPECT_THAT(results[2].error().text(), HasSubstr("as of the last scan"));
}

TEST_F(FreshLookTest, AJobInTheWayIsNothingThatAScanShows) {
    std::optional<Result<int>> result;
    look.look_before_refusing<int>(
        authorised, [](bool) -> Result<int> { return fail(error(ErrorCode::busy, 0)); },
        [&](Result<int> given) { result = std::move(given); });
    EXPECT_TRUE(result);
    EXPECT_EQ(scans, 0U);
}

}  // namespace
}  // namespace cxlmemd
