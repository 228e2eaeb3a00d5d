// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/holds.h"

#include <gmock/gmock.h>

#include "policy/decide.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::TopologyBuilder;
using testing::HasSubstr;

// Cards, a region on each, and a dax device on each region.
struct Machine {
    Topology topology;

    explicit Machine(const std::vector<std::pair<std::uint64_t, std::string>>& cards) {
        TopologyBuilder builder;
        std::size_t i = 0;
        for (const auto& [serial, host] : cards) {
            const std::string n = std::to_string(i);
            builder.memdev("mem" + n, serial, host);
            builder.region("region" + n, {"mem" + n});
            DaxDevice& device = builder.dax("dax" + n + ".0", 0xb2 + 2 * i++, "..");
            device.id.region = "region" + n;
            device.id.serials = {serial};
        }
        topology = builder.build();
    }
    [[nodiscard]] const DaxDevice& dax(std::size_t i) const { return topology.dax_devices.at(i); }
    [[nodiscard]] std::string key(std::size_t i) const { return hold_key(topology, dax(i)); }
};

TEST(HoldKey, IsOfSerialsAndPlaceAndNotOfTheName) {
    Topology topology;
    TopologyBuilder builder;
    DaxDevice device = builder.dax("dax0.0", 0xb2, "..");
    device.id.serials = {0x1, 0x2};
    EXPECT_EQ(hold_key(topology, device), "serials 0x1,0x2 at 0x590000000");
    const std::string before = hold_key(topology, device);
    device.id.name = "dax7.0";
    device.id.region = "region3";
    device.id.generation = 99;
    EXPECT_EQ(hold_key(topology, device), before);
    device.id.serials.clear();
    device.kind = DaxKind::hmem;
    EXPECT_EQ(hold_key(topology, device), "hmem at 0x590000000");
}

TEST(HoldKey, NamesHostsWhereASerialDoesNotTellTheCard) {
    EXPECT_EQ(Machine({{5, "0000:0d:00.0"}}).key(0), "serials 0x5 at 0x590000000");
    EXPECT_EQ(Machine({{0, "0000:0d:00.0"}}).key(0), "serials 0x0@0000:0d:00.0 at 0x590000000");
    EXPECT_EQ(Machine({{5, "0000:0d:00.0"}, {5, "0000:0e:00.0"}}).key(0),
              "serials 0x5@0000:0d:00.0 at 0x590000000");
}

TEST(HoldKey, OfAnotherCardWithThatSerialAtThatPlaceIsAnotherKey) {
    const Machine before({{0, "0000:0d:00.0"}});
    const Machine after({{0, "0000:0e:00.0"}});
    const Holds holds{.devices = {before.key(0)}, .cards = {}};
    EXPECT_TRUE(is_held_by_hand(holds, before.topology, before.dax(0)));
    EXPECT_FALSE(is_held_by_hand(holds, after.topology, after.dax(0)));
}

TEST(HoldKey, StaysTheDevicesWhenItsSerialBecomesAmbiguousOrUnique) {
    const Machine alone({{5, "0000:0d:00.0"}});
    const Machine twins({{5, "0000:0d:00.0"}, {5, "0000:0e:00.0"}});
    for (const std::string& key : {alone.key(0), twins.key(0)}) {
        const Holds holds{.devices = {key}, .cards = {}};
        EXPECT_TRUE(is_held(holds, alone.topology, alone.dax(0))) << key;
        EXPECT_TRUE(is_held(holds, twins.topology, twins.dax(0))) << key;
        EXPECT_FALSE(is_held(holds, twins.topology, twins.dax(1))) << key;
    }
}

TEST(CardToBePulled, HoldsWhatStandsOnItAndOnNoOtherCardOfItsSerial) {
    const Machine machine({{0, "0000:0d:00.0"}, {0, "0000:0e:00.0"}});
    const Holds holds{.devices = {}, .cards = {{{0, "0000:0e:00.0"}, CardState::ready}}};
    const auto decisions = decide(machine.topology, {}, holds);
    EXPECT_EQ(decisions[0].verdict, Verdict::unmanaged);
    EXPECT_EQ(decisions[1].verdict, Verdict::held);
    EXPECT_THAT(decisions[1].reason, HasSubstr("it stands on mem1, which is prepared for its removal"));
}

TEST(CardToBePulled, HoldsMemoryThatAppearsOnItLater) {
    Machine machine({{1, "0000:0d:00.0"}});
    const Holds holds{.devices = {}, .cards = {{{1, "0000:0d:00.0"}, CardState::emptying}}};
    DaxDevice later = machine.dax(0);
    later.id.name = "dax0.1";
    later.id.start = PhysAddr{0x700000000};
    machine.topology.dax_devices.push_back(later);
    Rule rule;
    rule.name = "all";
    Policy policy;
    policy.rules.push_back(rule);
    const auto decisions = decide(machine.topology, policy, holds);
    ASSERT_EQ(decisions.size(), 2U);
    EXPECT_EQ(decisions[1].verdict, Verdict::held);
    EXPECT_TRUE(decisions[1].plan.steps.empty());
    EXPECT_THAT(decisions[1].reason,
                HasSubstr("stands on mem0, which is being emptied for its removal: rule 'all' waits"));
}

}  // namespace
}  // namespace cxlmemd
