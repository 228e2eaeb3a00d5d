// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include "daemon/auto_online_keeper.h"
#include "daemon/small_file.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

using test::TempDir;

TEST(AutoOnlineKeeper, AnOlderValueOfACrashedRunStays) {
    const TempDir dir;
    const AutoOnlineKeeper keeper{dir.path()};
    ASSERT_TRUE(keeper.remember(AutoOnline::online_movable));

    ASSERT_TRUE(keeper.remember(AutoOnline::offline));  // what we wrote ourselves before the crash

    EXPECT_EQ(keeper.remembered(), Result<std::optional<AutoOnline>>{AutoOnline::online_movable});
}

TEST(AutoOnlineKeeper, ForgetsOnceItIsPutBack) {
    const TempDir dir;
    const AutoOnlineKeeper keeper{dir.path()};
    ASSERT_TRUE(keeper.remember(AutoOnline::online));

    keeper.forget();

    EXPECT_EQ(keeper.remembered(), Result<std::optional<AutoOnline>>{std::nullopt});
}

TEST(SmallFile, IsReplacedWhole) {
    const TempDir dir;
    ASSERT_TRUE(replace_small_file(dir.path() / "a/b", "a long first content"));
    ASSERT_TRUE(replace_small_file(dir.path() / "a/b", "short"));
    EXPECT_EQ(read_small_file(dir.path() / "a/b"), Result<std::optional<std::string>>{"short"});
}

}  // namespace
}  // namespace cxlmemd
