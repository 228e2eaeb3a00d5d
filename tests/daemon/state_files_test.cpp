#include <gmock/gmock.h>

#include "daemon/auto_online_keeper.h"
#include "daemon/holds_store.h"
#include "daemon/small_file.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

using test::TempDir;

TEST(HoldsStore, GivesBackWhatWasSaved) {
    const TempDir dir;
    const HoldsStore store{dir.path()};
    const Holds holds{"serials 0x1 at 0x590000000", "hmem at 0x100000000"};

    ASSERT_TRUE(store.save(holds));

    EXPECT_EQ(store.load(), Result<Holds>{holds});
}

TEST(HoldsStore, WithoutAFileHoldsNothing) {
    const TempDir dir;
    EXPECT_EQ(HoldsStore{dir.path() / "not-there"}.load(), Result<Holds>{Holds{}});
}

TEST(HoldsStore, KnowsWhichHoldsEndWithACard) {
    const TempDir dir;
    const HoldsStore store{dir.path()};
    const PreparedHolds prepared{{0x33, {"serials 0x33,0x1 at 0x590000000", "serials 0x33 at 0x690000000"}},
                                 {0xffffffffffffffff, {"serials 0xffffffffffffffff at 0x0"}}};

    EXPECT_EQ(store.load_prepared(), Result<PreparedHolds>{PreparedHolds{}});
    ASSERT_TRUE(store.save(prepared));

    EXPECT_EQ(store.load_prepared(), Result<PreparedHolds>{prepared});
    dir.write("prepared", "no number\n7\n7 \n0x8 x\n9 y\n");
    EXPECT_EQ(store.load_prepared(), (Result<PreparedHolds>{PreparedHolds{{9, {"y"}}}}));
}

TEST(HoldsStore, SaysWhichFileItCouldNotWrite) {
    const TempDir dir;
    dir.write("in-the-way", "");
    const auto done = HoldsStore{dir.path() / "in-the-way"}.save({"x"});

    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().text(), ::testing::HasSubstr("in-the-way"));
}

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
