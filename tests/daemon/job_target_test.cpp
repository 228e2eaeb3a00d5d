// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/job_target.h"

#include <gtest/gtest.h>

namespace cxlmemd {
namespace {

// region0 on mem0 and mem1 with two dax devices, region1 on mem1 with one.
Topology machine() {
    Topology out;
    for (const std::uint64_t serial : {1, 2}) {
        Memdev memdev;
        memdev.name = "mem" + std::to_string(serial - 1);
        memdev.serial = serial;
        out.memdevs.push_back(memdev);
    }
    Region region;
    region.name = "region0";
    region.memdevs = {"mem0", "mem1"};
    out.regions.push_back(region);
    region.name = "region1";
    region.memdevs = {"mem1"};
    out.regions.push_back(region);
    for (const auto& [name, on] :
         {std::pair{"dax0.0", "region0"}, {"dax0.1", "region0"}, {"dax1.0", "region1"}}) {
        DaxDevice device;
        device.id.name = name;
        device.id.region = on;
        out.dax_devices.push_back(device);
    }
    return out;
}

JobTarget region(const Topology& topology, std::size_t nth) {
    return identity_of(topology, topology.regions[nth]);
}
JobTarget memdev(const Topology& topology, std::size_t nth) {
    return identity_of(topology.memdevs[nth]);
}
JobTarget dax(const Topology& topology, std::size_t nth) {
    return topology.dax_devices[nth].id;
}

std::string names(const std::vector<const DaxDevice*>& devices) {
    std::string out;
    for (const DaxDevice* device : devices) out += device->id.name + " ";
    return out;
}

TEST(JobTarget, HasTheDevicesThatStandOnIt) {
    const Topology t = machine();
    EXPECT_EQ(names(devices_of(t, dax(t, 1))), "dax0.1 ");
    EXPECT_EQ(names(devices_of(t, region(t, 0))), "dax0.0 dax0.1 ");
    EXPECT_EQ(names(devices_of(t, memdev(t, 0))), "dax0.0 dax0.1 ");
    EXPECT_EQ(names(devices_of(t, memdev(t, 1))), "dax0.0 dax0.1 dax1.0 ");
}

TEST(JobTarget, OverlapsWithWhatSharesADevice) {
    const Topology t = machine();
    EXPECT_TRUE(overlap(t, region(t, 0), dax(t, 0)));
    EXPECT_TRUE(overlap(t, dax(t, 0), region(t, 0)));
    EXPECT_TRUE(overlap(t, memdev(t, 0), memdev(t, 1)));
    EXPECT_TRUE(overlap(t, region(t, 1), memdev(t, 1)));
    EXPECT_FALSE(overlap(t, region(t, 1), memdev(t, 0)));
    EXPECT_FALSE(overlap(t, region(t, 0), region(t, 1)));
    EXPECT_FALSE(overlap(t, dax(t, 0), dax(t, 1)));
    // Without a device, two who want the same are still in each other's way.
    Topology empty = t;
    empty.dax_devices.clear();
    EXPECT_TRUE(overlap(empty, region(empty, 0), region(empty, 0)));
}

TEST(JobTarget, R7_IsNotThereIfAnotherHasItsName) {
    const Topology t = machine();
    Topology later = t;
    ++later.regions[0].generation;
    EXPECT_FALSE(is_there(later, region(t, 0)));
    EXPECT_TRUE(devices_of(later, region(t, 0)).empty());
    later = t;
    later.memdevs[1].serial = 7;  // another card in the slot: neither the memdev nor the region is the same
    EXPECT_FALSE(is_there(later, memdev(t, 1)));
    EXPECT_FALSE(is_there(later, region(t, 0)));
    EXPECT_TRUE(is_there(later, memdev(t, 0)));
}

}  // namespace
}  // namespace cxlmemd
