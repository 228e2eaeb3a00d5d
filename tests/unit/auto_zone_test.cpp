// SPDX-License-Identifier: LGPL-2.1-or-later
// zone = "auto" and max_movable_ratio, and what a bind takes of kernel memory.
#include "policy/auto_zone.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <string>

#include "policy/decide.h"
#include "policy/summary.h"
#include "policy/suspects.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::gib;
using test::mib;
using test::picture;
using test::TopologyBuilder;
using test::words;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Rule rule(std::string name, ZoneWish zone, std::string dax = "*") {
    Rule out;
    out.name = std::move(name);
    out.goal.zone = zone;
    out.match.dax = {{std::move(dax)}};
    return out;
}

Policy automatic(double ratio) {
    Policy out;
    out.rules = {rule("auto", ZoneWish::automatic)};
    out.max_movable_ratio = ratio;
    return out;
}

// What the machine is like once every plan has been carried out, in the order in which policy goes about it.
Topology carried_out(Topology topology, const Policy& policy, const Holds& holds = {}) {
    const auto decisions = decide(topology, policy, holds);
    for (const bool last : {false, true}) {
        for (const Decision& decision : decisions) {
            if ((decision.goal && decision.goal->zone == ZoneWish::automatic) != last) continue;
            topology = predict(topology, *find_dax(topology, decision.device), decision.plan);
        }
    }
    return topology;
}

std::string after(const Topology& topology, const Policy& policy, const std::string& dax = "dax0.0") {
    const Topology end = carried_out(topology, policy);
    return picture(end, *find_dax(end, dax));
}

TEST(AutoZone, SplitsADeviceKernelLowAndMovableHigh) {
    TopologyBuilder builder;
    builder.node(0, Bytes{512 * mib});
    builder.node(1);
    builder.dax("dax0.0", 100, "........");
    const Topology topology = builder.build();
    const auto decision = decide(topology, automatic(1), {}).front();
    EXPECT_EQ(words(decision.plan.steps), "online kernel 103 102 101 100; online movable 107 106 105 104");
    EXPECT_THAT(decision.reason,
                HasSubstr("max_movable_ratio 1 leaves room for 4 of 8 blocks in ZONE_MOVABLE"));
    EXPECT_EQ(after(topology, automatic(1)), "KKKKMMMM");
}

TEST(AutoZone, ALargerOrSmallerAmountMovesNothingThatStays) {
    TopologyBuilder builder;
    builder.node(0, Bytes{384 * mib});
    builder.node(1);
    builder.dax("dax0.0", 100, "........");
    Policy policy = automatic(1);
    policy.rules[0].goal.amount = AmountPercent{50};
    Topology topology = carried_out(builder.build(), policy);
    EXPECT_EQ(picture(topology, topology.dax_devices[0]), "....KMMM");

    policy.rules[0].goal.amount = AmountPercent{75};
    EXPECT_EQ(words(decide(topology, policy, {})[0].plan.steps), "online kernel 103 102");
    topology = carried_out(topology, policy);
    EXPECT_EQ(picture(topology, topology.dax_devices[0]), "..KKKMMM");

    policy.rules[0].goal.amount = AmountPercent{25};
    EXPECT_EQ(words(decide(topology, policy, {})[0].plan.steps), "offline 103 104 102 105");
    topology = carried_out(topology, policy);
    EXPECT_EQ(picture(topology, topology.dax_devices[0]), "......MM");
}

TEST(AutoZone, AllMovableWithinTheRatioAndAllKernelWithoutRoom) {
    TopologyBuilder builder;
    builder.node(0, Bytes{1 * gib});
    builder.node(1);
    builder.dax("dax0.0", 100, "........");
    EXPECT_EQ(after(builder.build(), automatic(1)), "MMMMMMMM");
    EXPECT_EQ(after(builder.build(), automatic(0.1)), "KKKKKKKK");
    Policy without = automatic(1);
    without.max_movable_ratio.reset();
    EXPECT_EQ(after(builder.build(), without), "MMMMMMMM");
}

TEST(AutoZone, CountsAllMemoryOfTheMachineAndWhatOtherRulesWillBringOnline) {
    TopologyBuilder builder;
    builder.node(0, Bytes{1 * gib}, Bytes{256 * mib});  // room for 6 blocks at 1 : 1
    builder.node(1);
    builder.dax("dax0.0", 100, "........");
    builder.dax("dax1.0", 200, "..");
    EXPECT_EQ(after(builder.build(), automatic(1)), "KKMMMMMM");

    Policy policy = automatic(1);
    policy.rules.insert(policy.rules.begin(), rule("other", ZoneWish::movable, "dax1.0"));
    EXPECT_EQ(after(builder.build(), policy), "KKKKMMMM");  // the other's two are movable
    policy.rules.front().goal.zone = ZoneWish::kernel;
    EXPECT_EQ(after(builder.build(), policy), "MMMMMMMM");  // and here they make room for two more
}

TEST(AutoZone, KernelMemoryOfTheDeviceDoesNotJustifyItsOwnMovablePart) {
    TopologyBuilder builder;
    builder.node(0, Bytes{256 * mib});
    builder.node(1, Bytes{512 * mib});
    builder.dax("dax0.0", 100, "KKKK....");
    // 256 MiB of DRAM allow two blocks, whatever the device's own four in the kernel zone are.
    EXPECT_EQ(after(builder.build(), automatic(1)), "KKKKKKMM");
}

TEST(AutoZone, AnEarlierDevicesKernelMemoryJustifiesALaterOnesMovablePart) {
    TopologyBuilder builder;
    builder.node(0, Bytes{256 * mib});
    builder.node(1);
    builder.dax("dax0.0", 100, "....").id.generation = 1;
    builder.dax("dax1.0", 200, "....").id.generation = 2;
    EXPECT_EQ(after(builder.build(), automatic(1), "dax0.0"), "KKMM");
    EXPECT_EQ(after(builder.build(), automatic(1), "dax1.0"), "KKMM");  // 4 : 4 in the end
}

TEST(AutoZone, ADeviceThatAppearsLaterChangesNothingForTheEarlierOnes) {
    TopologyBuilder builder;
    builder.node(0, Bytes{256 * mib});
    builder.node(1, Bytes{256 * mib}, Bytes{256 * mib});
    builder.dax("dax1.0", 200, "KKMM").id.generation = 1;
    builder.dax("dax0.0", 100, "........").id.generation = 2;  // first by name and by address
    const auto decisions = decide(builder.build(), automatic(1), {});
    EXPECT_EQ(decisions[1].verdict, Verdict::in_policy) << decisions[1].reason;
    EXPECT_EQ(after(builder.build(), automatic(1), "dax0.0"), "KKKKKKMM");
}

TEST(AutoZone, WhatIsOnlineStaysWithOnConflictKeep) {
    TopologyBuilder builder;
    builder.node(0, Bytes{512 * mib});
    builder.node(1, Bytes{128 * mib}, Bytes{128 * mib});
    builder.dax("dax0.0", 100, "MK......");
    Policy policy = automatic(1);
    policy.rules[0].goal.on_conflict = OnConflict::keep;
    EXPECT_EQ(after(builder.build(), policy), "MKKKKMMM");
}

TEST(AutoZone, AHeldDeviceCountsAsItIs) {
    TopologyBuilder builder;
    builder.node(0, Bytes{512 * mib});
    builder.node(1, {}, Bytes{512 * mib});
    builder.dax("dax0.0", 100, "....");
    builder.dax("dax1.0", 200, "MMMM");
    const Topology topology = builder.build();
    const Topology end = carried_out(topology, automatic(1),
                                     {.devices = {hold_key(topology, topology.dax_devices[1])}, .cards = {}});
    EXPECT_EQ(picture(end, end.dax_devices[1]), "MMMM");
    EXPECT_EQ(picture(end, end.dax_devices[0]), "KKKK");
}

TEST(AutoZone, WhatAnAdministratorAsksForIsSplitTheSameWay) {
    TopologyBuilder builder;
    builder.node(0, Bytes{512 * mib});
    builder.node(1);
    builder.dax("dax0.0", 100, "........");
    const Topology topology = builder.build();
    Policy policy;
    policy.max_movable_ratio = 1;  // and no rule at all
    Goal goal;
    goal.zone = ZoneWish::automatic;
    goal = resolved(topology, policy, {}, topology.dax_devices[0], goal);
    ASSERT_TRUE(goal.split);
    EXPECT_EQ(goal.split->movable_blocks, 4U);
}

TEST(AutoZone, TheAllowanceOfTheMomentCountsWhatIsOnlineNow) {
    TopologyBuilder builder;
    builder.node(0, Bytes{512 * mib});
    builder.node(1, Bytes{128 * mib}, Bytes{128 * mib});
    builder.dax("dax0.0", 100, "KM......");
    const Topology topology = builder.build();
    EXPECT_EQ(movable_allowance(topology, topology.dax_devices[0], 1), 3U);
    EXPECT_EQ(movable_allowance(topology, topology.dax_devices[0], 0.1), 0U);
}

TEST(AutoZone, AMachineAboveTheRatioIsAConflict) {
    TopologyBuilder builder;
    builder.node(0, Bytes{1 * gib}, Bytes{4 * gib});
    const auto conflicts = summarize(builder.build(), automatic(3)).conflicts;
    ASSERT_EQ(conflicts.size(), 1U);
    EXPECT_EQ(conflicts[0].kind, "movable-ratio");
    EXPECT_THAT(summarize(builder.build(), automatic(4)).conflicts, IsEmpty());
}

// --- What must hold on any machine. ---

struct Case {
    Topology topology;
    Policy policy;
};

Case random_case(std::uint32_t seed) {
    std::mt19937 engine{seed};
    const auto below = [&](std::size_t end) {
        return std::uniform_int_distribution<std::size_t>{0, end - 1}(engine);
    };
    TopologyBuilder builder;
    builder.node(0, Bytes{below(24) * 128 * mib}, Bytes{below(8) * 128 * mib});
    Node& ours = builder.node(1);
    Case out;
    const std::size_t devices = 1 + below(5);
    for (std::size_t d = 0; d < devices; ++d) {
        std::string blocks(1 + below(16), ' ');
        const bool bound = below(4) != 0;
        for (char& look : blocks) look = bound ? "MK.."[below(4)] : 'x';
        ours.bytes_kernel += Bytes{static_cast<std::uint64_t>(std::ranges::count(blocks, 'K')) * 128 * mib};
        ours.bytes_movable += Bytes{static_cast<std::uint64_t>(std::ranges::count(blocks, 'M')) * 128 * mib};
        const std::string name = "dax" + std::to_string(d) + ".0";
        builder.dax(name, 100 * (d + 1), blocks, bound ? DaxMode::system_ram : DaxMode::unbound)
            .id.generation = below(100);
        Rule made = rule("rule of " + name, below(3) != 0 ? ZoneWish::automatic : ZoneWish::kernel, name);
        if (made.goal.zone == ZoneWish::kernel && below(2) == 0) made.goal.zone = ZoneWish::movable;
        if (below(3) == 0) made.goal.amount = AmountPercent{static_cast<std::uint32_t>(below(101))};
        if (below(6) != 0) out.policy.rules.push_back(made);
    }
    out.topology = builder.build();
    if (below(3) == 0) out.topology.auto_online = AutoOnline::online;
    out.policy.max_movable_ratio = static_cast<double>(1 + below(50)) / 10;
    return out;
}

bool is_automatic(const Decision& decision) {
    return decision.goal && decision.goal->zone == ZoneWish::automatic;
}

template <class Property>
void for_all(Property property) {
    for (std::uint32_t seed = 1; seed <= 3000; ++seed) {
        const Case given = random_case(seed);
        SCOPED_TRACE("seed " + std::to_string(seed));
        property(given, carried_out(given.topology, given.policy));
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(AutoZoneProperties, ThePlanIsCarriedOutOnceAndThenNothingIsLeftToDo) {
    for_all([](const Case& given, const Topology& end) {
        for (const Decision& decision : decide(end, given.policy, {}))
            EXPECT_THAT(decision.plan.steps, IsEmpty()) << decision.device.name << ": " << decision.reason;
    });
}

TEST(AutoZoneProperties, TheMachineKeepsToTheRatioOrNothingUnderAutoIsMovable) {
    std::size_t split = 0;
    for_all([&](const Case& given, const Topology& end) {
        bool movable = false;
        for (const Decision& decision : decide(end, given.policy, {})) {
            if (!is_automatic(decision)) continue;
            const std::string look = picture(end, *find_dax(end, decision.device));
            movable = movable || look.find('M') != std::string::npos;
            if (look.find('M') != std::string::npos && look.find('K') != std::string::npos) ++split;
        }
        if (!movable) return;
        double kernel = 0;
        double all_movable = 0;
        for (const Node& node : end.nodes) {
            kernel += static_cast<double>(node.bytes_kernel.value());
            all_movable += static_cast<double>(node.bytes_movable.value());
        }
        EXPECT_LE(all_movable, *given.policy.max_movable_ratio * kernel);
    });
    EXPECT_GT(split, 300U);  // else the generator proves nothing about splits
}

TEST(AutoZoneProperties, NoneIsKernelMemoryThatTheRatioWouldLetBeMovable) {
    for_all([](const Case& given, const Topology& end) {
        // The device placed last: with one block more of it movable, the machine would be above the ratio.
        const Decision* last = nullptr;
        const auto decisions = decide(end, given.policy, {});
        for (const Decision& d : decisions) {
            if (!is_automatic(d)) continue;
            if (last == nullptr || std::tie(last->device.generation, last->device.name) <
                                       std::tie(d.device.generation, d.device.name))
                last = &d;
        }
        if (last == nullptr) return;
        const DaxDevice& device = *find_dax(end, last->device);
        if (picture(end, device).find('K') == std::string::npos) return;
        EXPECT_EQ(movable_allowance(end, device, *given.policy.max_movable_ratio), 0U) << device.id.name;
    });
}

TEST(AutoZoneProperties, MovableIsTheHighEndAndKernelIsNextBelowItInOnePiece) {
    for_all([](const Case& given, const Topology& end) {
        for (const Decision& decision : decide(end, given.policy, {})) {
            if (!is_automatic(decision)) continue;
            const std::string look = picture(end, *find_dax(end, decision.device));
            const auto first_kernel = look.find('K');
            const auto first_movable = look.find('M');
            if (first_movable == std::string::npos || first_kernel == std::string::npos) continue;
            EXPECT_EQ(look.find_first_not_of('K', first_kernel), first_movable) << look;
            EXPECT_EQ(look.find_first_not_of('M', first_movable), std::string::npos) << look;
        }
    });
}

// --- Struct pages. ---

Topology unbound_card(Bytes available) {
    TopologyBuilder builder;
    builder.node(0, Bytes{1 * gib});
    builder.dax("dax0.0", 100, std::string(64, 'x'), DaxMode::unbound);  // 8 GiB: 128 MiB of struct pages
    builder.dax("dax1.0", 200, std::string(64, 'x'), DaxMode::unbound);
    Topology out = builder.build();
    out.kernel_available = available;
    return out;
}

TEST(StructPages, ABindThatWouldStarveTheKernelIsNotPlanned) {
    const auto decisions = decide(unbound_card(Bytes{180 * mib}), automatic(100), {});
    EXPECT_EQ(decisions[0].verdict, Verdict::blocked);
    EXPECT_THAT(decisions[0].reason, HasSubstr("struct pages would take 128MiB from the kernel zones"));
    EXPECT_THAT(decisions[0].plan.steps, IsEmpty());
}

TEST(StructPages, WhatOneDeviceTakesTheNextCannotHave) {
    const auto decisions = decide(unbound_card(Bytes{256 * mib}), automatic(100), {});
    EXPECT_EQ(decisions[0].verdict, Verdict::act);
    EXPECT_EQ(decisions[1].verdict, Verdict::blocked) << decisions[1].reason;
}

TEST(StructPages, LieOnTheDeviceWithMemmapOnMemory) {
    Topology topology = unbound_card(Bytes{100 * mib});
    topology.dax_devices[0].memmap_on_memory = true;
    EXPECT_EQ(decide(topology, automatic(100), {})[0].verdict, Verdict::act);
}

TEST(StructPages, AreNotCountedWhereTheKernelSaysNothing) {
    Topology topology = unbound_card({});
    topology.kernel_available.reset();
    EXPECT_EQ(decide(topology, automatic(100), {})[0].verdict, Verdict::act);
}

// --- Who may have done it. ---

TEST(Suspects, OfAnOnlineAreThoseKnownToOnline) {
    Topology topology = test::one_device("K");
    const auto who = [&] {
        return suspects(topology, plan_device(topology, topology.dax_devices[0], Goal{}));
    };
    EXPECT_THAT(who(), HasSubstr("nothing on this machine is known to online memory"));
    topology.auto_online = AutoOnline::online;
    topology.competitors = {{"/etc/udev/rules.d/40.rules:3", "a udev rule", Zone::kernel}};
    EXPECT_EQ(
        who(),
        "the kernel itself (auto_online_blocks is 'online'), or a udev rule (/etc/udev/rules.d/40.rules:3)");
}

TEST(Suspects, OfAnOnlineAreNotThoseThatWorkOnceItIsDone) {
    Topology topology = test::one_device("K");
    topology.competitors = {
        {"/r/50-kdump.rules:1", "a udev rule", Zone::none, CompetitorKind::crash_dump},
        {"/r/60.rules:1", "a udev rule", Zone::none, CompetitorKind::block_by_block},
        {"/r/70.rules:1", "a udev rule that runs a program", Zone::none, CompetitorKind::may_online}};
    EXPECT_EQ(suspects(topology, plan_device(topology, topology.dax_devices[0], Goal{})),
              "a udev rule that runs a program (/r/70.rules:1)");
}

TEST(Suspects, OfAnOfflineIsNobodyThatOnlyOnlines) {
    Topology topology = test::one_device(".");
    topology.auto_online = AutoOnline::online;
    EXPECT_THAT(suspects(topology, plan_device(topology, topology.dax_devices[0], Goal{})),
                HasSubstr("known to take memory offline by itself"));
}

}  // namespace
}  // namespace cxlmemd
