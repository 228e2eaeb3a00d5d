// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/region_journal.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/daemon/temp_dir.h"

namespace cxlmemd {
namespace {

using test::TempDir;

const RegionTrace trace{"region0", "decoder0.0", {"decoder2.0", "decoder3.0"}};

TEST(RegionJournal, KnowsWhatIsUnfinishedUntilItEnds) {
    const TempDir dir;
    const RegionJournal journal{dir.path()};
    EXPECT_EQ(journal.unfinished().value(), std::nullopt);
    ASSERT_TRUE(journal.begin(trace));
    EXPECT_EQ(RegionJournal{dir.path()}.unfinished().value(), trace);
    journal.end();
    EXPECT_EQ(journal.unfinished().value(), std::nullopt);
}

TEST(RegionJournal, RefusesNamesThatLeadElsewhere) {
    for (const char* text : {"", "region0\n", "region0 decoder0.0\n", "region0 decoder0.0 ../x\n",
                             "/etc decoder0.0 decoder2.0\n", "region0 .. decoder2.0\n"}) {
        const TempDir dir;
        std::ofstream{dir.path() / "region-draft"} << text;
        EXPECT_FALSE(RegionJournal{dir.path()}.unfinished()) << text;
    }
}

TEST(RegionJournal, SaysSoIfItCannotBeKept) {
    const TempDir dir;
    std::ofstream{dir.path() / "file"} << "";
    EXPECT_FALSE(RegionJournal{dir.path() / "file"}.begin(trace));
}

}  // namespace
}  // namespace cxlmemd
