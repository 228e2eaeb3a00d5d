// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/drift_words.h"

#include <gmock/gmock.h>

#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

DeviceState device(std::string_view picture, DaxMode mode = DaxMode::system_ram) {
    const Topology topology = test::one_device(picture, mode);
    return state_of(topology, topology.dax_devices.front());
}

TEST(DriftWords, SayWhatWasAndWhatIs) {
    EXPECT_EQ(what_changed(device("MMMM"), device("M.MM")),
              "block 101 was online in ZONE_MOVABLE and is offline");
    EXPECT_EQ(what_changed(device("MM.."), device("KKM.")),
              "block 102 was offline and is online in ZONE_MOVABLE; blocks 100-101 were online in "
              "ZONE_MOVABLE and are "
              "online in a kernel zone");
}

TEST(DriftWords, SayThatBlocksCameAndWentAndThatTheModeIsAnother) {
    EXPECT_EQ(what_changed(device("xM"), device(".M")), "block 100 was not there and is offline");
    EXPECT_EQ(what_changed(device("..", DaxMode::system_ram), device("xx", DaxMode::devdax)),
              "it was system-ram and is devdax; blocks 100-101 were offline and are not there");
}

TEST(DriftWords, SayNothingOfNothing) {
    EXPECT_EQ(what_changed(device("M."), device("M.")), "");
}

}  // namespace
}  // namespace cxlmemd
