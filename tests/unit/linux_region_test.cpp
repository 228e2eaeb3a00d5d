// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a region needs no library, on a folder that looks like /sys. That destroying works is asked of a
// real kernel (tests/contract).
#include <gmock/gmock.h>

#include <cerrno>

#include "backends/linux/region_removal.h"
#include "backends/linux/region_sysfs.h"
#include "backends/linux/sysfs.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string bus = "sys/bus/cxl/devices/";

// region0 over mem0 and mem1, eight blocks from the tenth; decoder5.0 and decoder6.1 are its targets.
class LinuxRegion : public ::testing::Test {
 protected:
    LinuxRegion() {
        tree.block_size();
        tree.block(2, "online\n", "Normal\n", 0);
        region("region0", {"decoder5.0", "decoder6.1"});
        card("mem0", "0x1", "5");
        card("mem1", "0x2", "6");
        for (const char* file : {"bind", "unbind"})
            tree.file("sys/bus/cxl/drivers/cxl_region/" + std::string(file), "");
    }
    void region(const std::string& name, const std::vector<std::string>& targets) const {
        const std::string real = "sys/devices/root0/decoder0.0/" + name;
        tree.file(real + "/interleave_ways", std::to_string(targets.size()) + "\n");
        tree.file(real + "/resource", "0x50000000\n");
        tree.file(real + "/size", "0x40000000\n");
        tree.file(real + "/mode", "ram\n");
        tree.file(real + "/commit", "1\n");
        for (std::size_t i = 0; i < targets.size(); ++i) {
            tree.file(real + "/target" + std::to_string(i), targets[i] + "\n");
        }
        tree.link(bus + name, "../../../devices/root0/decoder0.0/" + name);
        tree.file("sys/devices/root0/decoder0.0/delete_region", "");
    }
    void card(const std::string& memdev, const std::string& serial, const std::string& port) const {
        tree.file(bus + memdev + "/serial", serial + "\n");
        const std::string endpoint = "sys/devices/endpoint" + port;
        tree.link(endpoint + "/uport", "../../bus/cxl/devices/" + memdev);
        for (const char* number : {"0", "1", "2"}) decoder(port + "." + number, 0, "");
    }
    void decoder(const std::string& number, std::uint64_t capacity, const std::string& user) const {
        const std::string name = "decoder" + number;
        const std::string real = "sys/devices/endpoint" + number.substr(0, 1) + "/" + name;
        tree.file(real + "/dpa_size", std::to_string(capacity) + "\n");
        tree.file(real + "/region", user + "\n");
        tree.file(real + "/locked", "0\n");
        tree.link(bus + name, "../../../devices/endpoint" + number.substr(0, 1) + "/" + name);
    }
    // A dax device of region0, with its blocks.
    void dax(const std::string& driver) const {
        const std::string real = "sys/devices/root0/decoder0.0/region0/dax_region0/dax0.0";
        tree.folder(real);
        if (!driver.empty()) tree.link(real + "/driver", "../../../../../../bus/dax/drivers/" + driver);
        tree.link("sys/bus/dax/devices/dax0.0",
                  "../../../devices/root0/decoder0.0/region0/dax_region0/dax0.0");
    }

    [[nodiscard]] RegionIdentity identity() const { return *read_region_identity(tree.paths(), "region0"); }
    Error refused(const RegionIdentity& region) const {
        const LinuxPaths paths = tree.paths();
        const MemoryBlocks blocks(paths);
        const auto result = RegionRemoval(paths, blocks).destroy(region);
        EXPECT_FALSE(result);
        EXPECT_EQ(tree.text("sys/devices/root0/decoder0.0/delete_region"), "");
        return result ? Error{} : result.error();
    }
    [[nodiscard]] bool was_touched() const {
        return !tree.text("sys/bus/cxl/drivers/cxl_region/unbind").empty() ||
               tree.text(bus + "region0/commit") != "1\n";
    }
    [[nodiscard]] std::vector<std::string> above() const {
        return read_above(tree.paths(), "region0", read_targets(tree.paths(), "region0").list).value();
    }

    FakeTree tree;
};

}  // namespace

TEST_F(LinuxRegion, KnowsItsTargetsAndSerials) {
    const auto targets = read_targets(tree.paths(), "region0").list;
    ASSERT_EQ(targets.size(), 2U);
    EXPECT_EQ(targets[1].decoder, "decoder6.1");
    EXPECT_EQ(targets[1].memdev, "mem1");
    EXPECT_THAT(identity().serials, ElementsAre(1, 2));
    EXPECT_EQ(identity().resource, PhysAddr{0x50000000});
    EXPECT_FALSE(read_region_identity(tree.paths(), "region7"));
}

TEST_F(LinuxRegion, KnowsWhatStandsAboveIt) {
    EXPECT_THAT(above(), IsEmpty());
    decoder("5.0", 1 << 28, "region0");
    decoder("6.0", 1 << 28, "region8");  // below
    EXPECT_THAT(above(), IsEmpty());
    decoder("5.1", 1 << 28, "region1");
    decoder("5.2", 1 << 28, "region2");
    decoder("6.2", 1 << 28, "");  // holds capacity for nobody
    EXPECT_THAT(above(), ElementsAre("region1", "region2", "decoder6.2"));
}

TEST_F(LinuxRegion, R7_AnotherIncarnationIsGone) {
    RegionIdentity other = identity();
    other.resource = PhysAddr{0x90000000};
    EXPECT_EQ(refused(other).code, ErrorCode::gone);
    other = identity();
    other.serials = {2, 1};
    EXPECT_EQ(refused(other).code, ErrorCode::gone);
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, R11_IsNotTouchedWhileABlockOfItIsOnline) {
    dax("kmem");
    tree.block(10, "offline\n", "Normal Movable\n");
    for (const char* state : {"online\n", "going-offline\n"}) {
        tree.block(12, state, "Movable\n");
        const Error error = refused(identity());
        EXPECT_EQ(error.code, ErrorCode::busy);
        EXPECT_EQ(error.errnum, EBUSY);
        EXPECT_THAT(error.text(), HasSubstr("memory block 12"));
    }
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, IsNotTouchedWhileADeviceOfItIsBound) {
    for (const char* driver : {"kmem", "device_dax"}) {
        dax(driver);
        const Error error = refused(identity());
        EXPECT_EQ(error.code, ErrorCode::busy);
        EXPECT_THAT(error.text(), HasSubstr("dax0.0"));
    }
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, R11_IsNotTouchedIfItsMemoryIsLost) {
    tree.block(13, "offline\n", "Movable\n");  // and no device is left to say whose it was
    EXPECT_EQ(refused(identity()).code, ErrorCode::reboot_required);
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, IsNotTouchedIfWhatStandsOnItCannotBeRead) {
    const std::string real = "sys/devices/root0/decoder0.0/region0/";
    const std::string files[] = {
        "sys/devices/system/memory/memory12/state",
        "sys/devices/system/memory/memory12/valid_zones",
        "sys/devices/system/memory/block_size_bytes",
        real + "size",
        real + "mode",
        real + "interleave_ways",
        "sys/devices/endpoint5/decoder5.0/locked",
        "sys/devices/endpoint5/decoder5.1/dpa_size",
    };
    const RegionIdentity region = identity();
    for (const std::string& file : files) {
        tree.block(12, "offline\n", "Movable\n");
        const std::string before = tree.text(file);
        tree.remove(file);
        tree.folder(file);
        const Error error = refused(region);
        EXPECT_THAT(error.code, ::testing::AnyOf(ErrorCode::failed, ErrorCode::gone)) << file;
        EXPECT_FALSE(was_touched()) << file;
        tree.remove(file);
        tree.file(file, before);
        tree.remove("sys/devices/system/memory/memory12");
    }
    tree.block(12, "going-online\n", "Movable\n");
    EXPECT_EQ(refused(region).code, ErrorCode::failed);
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, IsNotTouchedWhileADeviceThatLiesInItIsBound) {
    tree.dax("dax9.0", 12, 2);  // hmem, and not below the region
    tree.block(12, "offline\n", "Movable\n");
    EXPECT_EQ(refused(identity()).code, ErrorCode::busy);
    EXPECT_THAT(refused(identity()).text(), HasSubstr("dax9.0"));
    // Where it lies cannot be told: it may be here.
    tree.remove("sys/devices/platform/hmem.0/dax9.0/mapping0/end");
    tree.folder("sys/devices/platform/hmem.0/dax9.0/mapping0/end");
    EXPECT_EQ(refused(identity()).code, ErrorCode::failed);
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, IsNotTouchedIfItsMemoryIsPlainSystemRam) {
    tree.block(13, "online\n", "Normal\n");
    tree.file("sys/firmware/memmap/0/start", "0x0\n");
    tree.file("sys/firmware/memmap/0/end", "0x9ffff\n");
    tree.file("sys/firmware/memmap/0/type", "System RAM\n");
    EXPECT_EQ(refused(identity()).code, ErrorCode::reboot_required);
    tree.file("sys/firmware/memmap/1/start", "0x60000000\n");
    tree.file("sys/firmware/memmap/1/end", "0x6fffffff\n");
    tree.file("sys/firmware/memmap/1/type", "System RAM\n");
    const Error error = refused(identity());
    EXPECT_EQ(error.code, ErrorCode::conflict);
    EXPECT_THAT(error.text(), HasSubstr("plain System RAM"));
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, KnowsTheDecodersOfACardThatHoldCapacity) {
    decoder("5.0", 1 << 28, "region0");
    decoder("5.1", 1 << 29, "");
    tree.file("sys/devices/endpoint5/decoder5.1/start", "0x90000000\n");
    tree.file("sys/devices/endpoint5/decoder5.1/size", "0x20000000\n");
    DecoderScan scan = read_decoders("mem0", (tree.paths().sys + "/devices/endpoint5"));
    ASSERT_EQ(scan.decoders.size(), 2U);
    EXPECT_EQ(scan.decoders[0].region, "region0");
    EXPECT_EQ(scan.decoders[1].capacity, Bytes{1 << 29});
    EXPECT_EQ(scan.decoders[1].mapped, (PhysRange{PhysAddr{0x90000000}, Bytes{0x20000000}}));
    EXPECT_THAT(scan.unreadable, IsEmpty());
    tree.remove("sys/devices/endpoint5/decoder5.2/dpa_size");
    tree.folder("sys/devices/endpoint5/decoder5.2/dpa_size");
    scan = read_decoders("mem0", (tree.paths().sys + "/devices/endpoint5"));
    ASSERT_EQ(scan.unreadable.size(), 1U);
    EXPECT_EQ(scan.unreadable[0].memdev, "mem0");
}

TEST_F(LinuxRegion, IsNotTouchedIfItCouldNotBeDestroyedWholly) {
    decoder("5.1", 1 << 28, "region1");
    const Error above = refused(identity());
    EXPECT_EQ(above.code, ErrorCode::conflict);
    EXPECT_THAT(above.text(), AllOf(HasSubstr("region1"), HasSubstr("last decoder")));
    decoder("5.1", 0, "");
    tree.file("sys/devices/endpoint5/decoder5.0/locked", "1\n");
    EXPECT_EQ(refused(identity()).code, ErrorCode::not_supported);
    tree.file("sys/devices/endpoint5/decoder5.0/locked", "0\n");
    tree.file("sys/devices/root0/decoder0.0/region0/mode", "pmem\n");
    EXPECT_EQ(refused(identity()).code, ErrorCode::not_supported);
    EXPECT_FALSE(was_touched());
}

TEST_F(LinuxRegion, ADriverThatDoesNotLetGoStopsIt) {
    tree.link("sys/devices/root0/decoder0.0/region0/driver", "../../../../bus/cxl/drivers/cxl_region");
    const Error error = refused(identity());
    EXPECT_EQ(error.operation, "disable");
    EXPECT_EQ(tree.text("sys/bus/cxl/drivers/cxl_region/unbind"), "region0");
    EXPECT_EQ(tree.text(bus + "region0/commit"), "1\n");
}

// The tree has no behaviour: what can be seen is what was written, and where.
TEST_F(LinuxRegion, GivesTheCapacityOfEveryTargetBackAndIsDeleted) {
    decoder("5.0", 1 << 28, "region0");
    decoder("6.1", 1 << 28, "region0");
    const LinuxPaths paths = tree.paths();
    const MemoryBlocks blocks(paths);
    ASSERT_TRUE(RegionRemoval(paths, blocks).destroy(identity()));
    EXPECT_TRUE(tree.text(bus + "region0/commit").starts_with("0"));
    for (const char* target : {"target0", "target1"})
        EXPECT_TRUE(tree.text(bus + "region0/" + target).starts_with("\n"));
    for (const char* name : {"decoder5.0", "decoder6.1"})
        EXPECT_TRUE(tree.text(bus + name + "/dpa_size").starts_with("0"));
    EXPECT_EQ(tree.text("sys/devices/root0/decoder0.0/delete_region"), "region0");
}

TEST_F(LinuxRegion, ADecoderThatKeepsItsCapacityIsFoundAgainByTheNextRemoval) {
    decoder("5.0", 1 << 28, "region0");
    decoder("6.1", 1 << 28, "region0");
    const std::string capacity = "sys/devices/endpoint5/decoder5.0/dpa_size";
    tree.remove(capacity);
    tree.link(capacity, "/proc/sys/kernel/ngroups_max");  // a number that nobody may write, root included
    const RegionIdentity region = identity();
    const Error error = refused(region);
    EXPECT_THAT(error.text(), HasSubstr("decoder5.0 kept its capacity of mem0"));
    EXPECT_EQ(tree.text("sys/devices/root0/decoder0.0/delete_region"), "");
    ASSERT_EQ(identity(), region);
    tree.remove(capacity);
    tree.file(capacity, "268435456\n");
    const LinuxPaths paths = tree.paths();
    const MemoryBlocks blocks(paths);
    ASSERT_TRUE(RegionRemoval(paths, blocks).destroy(region));
    EXPECT_TRUE(tree.text(capacity).starts_with("0"));
    EXPECT_EQ(tree.text("sys/devices/root0/decoder0.0/delete_region"), "region0");
}

}  // namespace cxlmemd
