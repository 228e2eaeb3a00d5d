// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/plan_removal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using test::TopologyBuilder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Two cards; region0 over both with two dax devices, region1 on the second alone.
class PlanRemoval : public ::testing::Test {
 protected:
    void machine(std::string_view first, std::string_view second, std::string_view third = "MM",
                 DaxMode mode = DaxMode::system_ram) {
        builder.dax("dax0.0", 100, first, mode).id.region = "region0";
        builder.dax("dax0.1", 200, second, mode).id.region = "region0";
        builder.dax("dax1.0", 300, third, mode).id.region = "region1";
        topology = builder.build();
        for (const std::uint64_t serial : {1, 2}) {
            Memdev memdev;
            memdev.name = "mem" + std::to_string(serial - 1);
            memdev.serial = serial;
            topology.memdevs.push_back(memdev);
        }
        Region region;
        region.name = "region0";
        region.memdevs = {"mem0", "mem1"};
        topology.regions.push_back(region);
        region.name = "region1";
        region.memdevs = {"mem1"};
        topology.regions.push_back(region);
    }
    std::string region_steps() { return said(plan_region_removal(topology, topology.regions[0])); }
    std::string memdev_steps(std::size_t nth) {
        return said(plan_memdev_removal(topology, topology.memdevs[nth]));
    }

    static std::string said(const JointPlan& plan) {
        std::string out;
        for (const DeviceStep& each : plan.steps) {
            if (!out.empty()) out += "; ";
            if (!each.device.name.empty()) out += each.device.name + ": ";
            out += test::words({each.step});
        }
        if (plan.blocked) out += (out.empty() ? "" : "; ") + plan.blocked->text();
        return out;
    }

    TopologyBuilder builder;
    Topology topology;
};

TEST_F(PlanRemoval, DrainsAllThenUnbindsAllThenDestroys) {
    machine("MK.", "MM");
    EXPECT_EQ(region_steps(),
              "dax0.0: offline 100 101; dax0.1: offline 201 200; dax0.0: set-mode unbound; "
              "dax0.1: set-mode unbound; destroy-region");
}

TEST_F(PlanRemoval, GoesOnFromWhereItStands) {
    machine("..", "..");
    EXPECT_EQ(region_steps(), "dax0.0: set-mode unbound; dax0.1: set-mode unbound; destroy-region");
    topology.blocks.clear();
    for (DaxDevice& device : topology.dax_devices) device.mode = DaxMode::unbound;
    EXPECT_EQ(region_steps(), "destroy-region");
}

TEST_F(PlanRemoval, OfAMemdevLeavesItsRegions) {
    machine("MM", "..", "M.");
    EXPECT_EQ(
        memdev_steps(1),
        "dax0.0: offline 101 100; dax1.0: offline 300; dax0.0: set-mode unbound; dax0.1: set-mode unbound; "
        "dax1.0: set-mode unbound");
    EXPECT_EQ(memdev_steps(0), "dax0.0: offline 101 100; dax0.0: set-mode unbound; dax0.1: set-mode unbound");
}

TEST_F(PlanRemoval, LeavesDevdaxToo) {
    machine("xx", "xx", "xx", DaxMode::devdax);
    topology.features.memory_hotremove = false;  // nothing of it is memory of the kernel's
    EXPECT_EQ(region_steps(), "dax0.0: set-mode unbound; dax0.1: set-mode unbound; destroy-region");
}

TEST_F(PlanRemoval, R11_DoesNothingIfMemoryOfOneDeviceIsLeaked) {
    machine("MM", "MM");
    topology.dax_devices[1].mode = DaxMode::unbound;
    EXPECT_THAT(region_steps(), AllOf(HasSubstr("leaked"), HasSubstr("of dax0.1 (memory blocks 200-201")));
    EXPECT_THAT(plan_region_removal(topology, topology.regions[0]).steps, IsEmpty());
    EXPECT_EQ(plan_memdev_removal(topology, topology.memdevs[0]).blocked->code, ErrorCode::reboot_required);
}

TEST_F(PlanRemoval, R11_UnbindsNothingWhileABlockIsGoingOfflineByAnothersHand) {
    machine("M-", "MM");
    EXPECT_THAT(region_steps(), AllOf(HasSubstr("dax0.0: offline 100; dax0.1: offline 201 200; "),
                                      HasSubstr("memory block 101 is going offline")));
    EXPECT_THAT(region_steps(), Not(HasSubstr("unbound;")));
    EXPECT_THAT(region_steps(), Not(HasSubstr("destroy-region")));
}

TEST_F(PlanRemoval, R13_IsNotSupportedWithoutHotRemove) {
    machine("..", "..");
    topology.features.memory_hotremove = false;
    EXPECT_EQ(plan_region_removal(topology, topology.regions[0]).blocked->code, ErrorCode::not_supported);
    EXPECT_EQ(plan_memdev_removal(topology, topology.memdevs[0]).blocked->code, ErrorCode::not_supported);
}

TEST_F(PlanRemoval, NamesWhatStandsAbove) {
    machine("MM", "MM");
    topology.regions[0].destroyed_first = {"region1", "decoder5.2"};
    const JointPlan plan = plan_region_removal(topology, topology.regions[0]);
    EXPECT_THAT(plan.steps, IsEmpty());
    EXPECT_EQ(plan.blocked->code, ErrorCode::conflict);
    EXPECT_THAT(plan.blocked->text(),
                AllOf(HasSubstr("region1, decoder5.2"), HasSubstr("remove decoder5.2 first")));
    // A card can be emptied all the same.
    EXPECT_FALSE(plan_memdev_removal(topology, topology.memdevs[0]).blocked);
}

TEST_F(PlanRemoval, LeavesPersistentAndLockedRegionsAlone) {
    machine("..", "..");
    topology.regions[0].locked = true;
    EXPECT_THAT(region_steps(), HasSubstr("locked its decoders"));
    topology.regions[0].type = RegionType::pmem;
    EXPECT_THAT(region_steps(), HasSubstr("persistent memory"));
    // Its dax devices are all that is known of its users; without one nothing can be promised.
    EXPECT_FALSE(plan_memdev_removal(topology, topology.memdevs[0]).blocked);
    topology.dax_devices.erase(topology.dax_devices.begin(), topology.dax_devices.begin() + 2);
    EXPECT_EQ(plan_memdev_removal(topology, topology.memdevs[0]).blocked->code, ErrorCode::conflict);
}

}  // namespace
}  // namespace cxlmemd
