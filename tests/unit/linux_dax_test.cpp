// SPDX-License-Identifier: LGPL-2.1-or-later
// What of dax devices needs no library: the place in the tree, ranges, drivers (linux_backend_test.cpp and
// the VM have the rest).
#include <gmock/gmock.h>

#include <cerrno>

#include "backends/linux/dax_driver.h"
#include "backends/linux/dax_scan.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t size_128m = 0x8000000;

class LinuxDaxDriver : public ::testing::Test {
 protected:
    LinuxDaxDriver() {
        tree.block_size();
        tree.dax("dax0.0", 10, 4);
        tree.block(2, "online\n", "Normal\n", 0);
    }

    DaxDevice device(DaxMode mode = DaxMode::system_ram) const {
        DaxDevice out;
        out.id.name = "dax0.0";
        out.ranges = read_dax_ranges(tree.paths(), "dax0.0").value();
        out.target_node = NodeId{1};
        out.mode = mode;
        return out;
    }
    Result<> set_mode(const DaxDevice& dax, DaxMode mode) const {
        const LinuxPaths paths = tree.paths();
        const MemoryBlocks blocks(paths);
        return DaxDriver(paths, blocks).set_mode(dax, mode);
    }
    std::string written(const std::string& file) const { return tree.text("sys/bus/dax/drivers/" + file); }

    FakeTree tree;
};

}  // namespace

TEST(LinuxDaxPlace, IsWhatTheDeviceHangsBelow) {
    using Parent = DaxPlace::Parent;
    EXPECT_EQ(dax_place("/sys/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0"),
              (DaxPlace{Parent::cxl_region, "region0"}));
    EXPECT_EQ(dax_place("/sys/devices/platform/hmem.0/dax0.0"), (DaxPlace{Parent::hmem, ""}));
    EXPECT_EQ(
        dax_place("/sys/devices/platform/ACPI0017:00/root0/nvdimm-bridge0/ndbus0/region0/dax0.1/dax0.0"),
        (DaxPlace{Parent::cxl_nvdimm, ""}));
    EXPECT_EQ(dax_place("/sys/devices/LNXSYSTM:00/ACPI0012:00/ndbus0/region1/dax1.0/dax1.0"),
              (DaxPlace{Parent::other, ""}));
    EXPECT_EQ(dax_place(""), DaxPlace{});
}

TEST(LinuxDaxRanges, AreTheMappingsInOrder) {
    const FakeTree tree;
    const std::string at = "sys/bus/dax/devices/dax0.0/";
    tree.file(at + "mapping10/start", "0x30000000\n");
    tree.file(at + "mapping10/end", "0x3fffffff\n");
    tree.file(at + "mapping2/start", "0x50000000\n");
    tree.file(at + "mapping2/end", "0x5fffffff\n");
    tree.file(at + "resource", "0x1\n");
    tree.file(at + "size", "1\n");
    EXPECT_THAT(read_dax_ranges(tree.paths(), "dax0.0").value(),
                ElementsAre(PhysRange{PhysAddr{0x50000000}, Bytes{0x10000000}},
                            PhysRange{PhysAddr{0x30000000}, Bytes{0x10000000}}));
}

TEST(LinuxDaxRanges, WithoutMappingsAreResourceAndSize) {
    const FakeTree tree;
    tree.file("sys/bus/dax/devices/dax0.0/resource", "0x9790000000\n");
    tree.file("sys/bus/dax/devices/dax0.0/size", "1073741824\n");
    EXPECT_THAT(read_dax_ranges(tree.paths(), "dax0.0").value(),
                ElementsAre(PhysRange{PhysAddr{0x9790000000}, Bytes{1073741824}}));
}

// One range of a device that is not known is memory that may be anywhere.
TEST(LinuxDaxRanges, AreUnknownIfOneOfThemMakesNoSense) {
    const std::pair<const char*, const char*> senseless[] = {{"2", "1"},
                                                             {"", ""},
                                                             {"0", "18446744073709551615"},
                                                             {"0", "18446744073709551613"},
                                                             {"0x1000", "99999999999999999999999"}};
    for (const auto& [start, end] : senseless) {
        const FakeTree tree;
        const std::string at = "sys/bus/dax/devices/dax0.0/";
        tree.file(at + "mapping0/start", "0x50000000\n");
        tree.file(at + "mapping0/end", "0x5fffffff\n");
        tree.file(at + "mapping1/start", start);
        tree.file(at + "mapping1/end", end);
        const auto ranges = read_dax_ranges(tree.paths(), "dax0.0");
        ASSERT_FALSE(ranges) << start << "-" << end;
        EXPECT_EQ(ranges.error().errnum, 0);
        EXPECT_THAT(ranges.error().part, ::testing::StartsWith("mapping1/"));
    }
}

TEST(LinuxDaxRanges, AreUnknownIfOneOfThemCannotBeRead) {
    const FakeTree tree;
    const std::string at = "sys/bus/dax/devices/dax0.0/";
    tree.file(at + "mapping0/start", "0x50000000\n");
    tree.folder(at + "mapping0/end");
    ASSERT_FALSE(read_dax_ranges(tree.paths(), "dax0.0"));
    EXPECT_EQ(read_dax_ranges(tree.paths(), "dax0.0").error().errnum, EISDIR);
    EXPECT_EQ(read_dax_ranges(tree.paths(), "dax0.0").error().part, "mapping0/end");
}

TEST(LinuxDaxRanges, OfASeedAreNone) {
    const FakeTree tree;
    const std::string at = "sys/bus/dax/devices/dax0.0/";
    tree.file(at + "mappingx/start", "0");
    tree.file(at + "mapping", "");
    tree.file(at + "size", "0");
    tree.file(at + "resource", "0");
    EXPECT_THAT(read_dax_ranges(tree.paths(), "dax0.0").value(), IsEmpty());
    EXPECT_THAT(read_dax_ranges(tree.paths(), "dax7.0").value(), IsEmpty());
    tree.file(at + "resource", "18446744073709551615");
    tree.file(at + "size", "18446744073709551615");
    EXPECT_FALSE(read_dax_ranges(tree.paths(), "dax0.0"));
}

TEST(LinuxDaxMode, IsTheDriver) {
    const FakeTree tree;
    tree.dax("dax0.0", 10, 1);
    const auto mode_with = [&](const std::string& driver) {
        tree.bound("dax0.0", driver);
        return read_dax_mode(tree.paths(), "dax0.0").value();
    };
    EXPECT_EQ(mode_with("kmem"), DaxMode::system_ram);
    EXPECT_EQ(mode_with("device_dax"), DaxMode::devdax);
    EXPECT_EQ(mode_with("fsdev_dax"), DaxMode::famfs);
    EXPECT_EQ(mode_with(""), DaxMode::unbound);
    EXPECT_EQ(read_dax_mode(tree.paths(), "dax9.0").error(), ENODEV);
    // A link that cannot be followed is not "no driver".
    tree.remove("sys/devices/platform/hmem.0/dax0.0/driver");
    tree.file("sys/devices/platform/hmem.0/dax0.0/driver", "");
    EXPECT_EQ(read_dax_mode(tree.paths(), "dax0.0").error(), EINVAL);
}

TEST(LinuxDax, NamespaceUuidIsReadAboveTheDeviceAndNowhereElse) {
    const FakeTree tree;
    tree.dax("dax0.0", 10, 1);
    EXPECT_EQ(read_nvdimm_uuid(tree.paths(), "dax0.0"), "");
    tree.file("sys/devices/platform/hmem.0/uuid", "48D8E42C-A2F0-4312-9E70-A837FAAFE862");
    EXPECT_EQ(read_nvdimm_uuid(tree.paths(), "dax0.0"), "48d8e42c-a2f0-4312-9e70-a837faafe862");
    tree.file("sys/devices/platform/hmem.0/uuid", "");  // of a namespace that was never written to
    EXPECT_EQ(read_nvdimm_uuid(tree.paths(), "dax0.0"), "");
}

TEST_F(LinuxDaxDriver, R11_UnbindsNothingWhileABlockIsOnlineAndNamesTheBlocks) {
    tree.block(10, "online\n", "Movable\n");
    tree.block(11, "going-offline\n", "Movable\n");
    tree.block(12, "offline\n", "Movable\n");
    tree.block(13, "online\n", "Movable\n");
    const auto result = set_mode(device(), DaxMode::unbound);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::busy);
    EXPECT_THAT(result.error().text(), HasSubstr("10-11, 13"));
    EXPECT_EQ(written("kmem/unbind"), "");
}

TEST_F(LinuxDaxDriver, R11_UnbindsNothingWhileABlockCannotBeRead) {
    for (const char* part : {"state", "valid_zones"}) {
        tree.block(11, "offline\n", "Movable\n");
        const std::string file = std::string{"sys/devices/system/memory/memory11/"} + part;
        tree.remove(file);
        tree.folder(file);
        for (const DaxMode now : {DaxMode::system_ram, DaxMode::unbound}) {
            const auto result = set_mode(device(now), DaxMode::devdax);
            ASSERT_FALSE(result) << part;
            EXPECT_EQ(result.error().code, ErrorCode::failed);
            EXPECT_EQ(result.error().errnum, EISDIR);
            EXPECT_THAT(result.error().text(), HasSubstr("cannot tell whether memory of dax0.0 is in use"));
        }
        tree.remove("sys/devices/system/memory/memory11");
    }
    tree.block(11, "going-online\n", "Movable\n");
    EXPECT_FALSE(set_mode(device(), DaxMode::unbound));
    EXPECT_EQ(written("kmem/unbind"), "");
    EXPECT_EQ(written("device_dax/bind"), "");
}

TEST_F(LinuxDaxDriver, UnbindsNothingWhileTheBlockSizeCannotBeRead) {
    tree.remove("sys/devices/system/memory/block_size_bytes");
    tree.folder("sys/devices/system/memory/block_size_bytes");
    EXPECT_FALSE(set_mode(device(), DaxMode::unbound));
    EXPECT_EQ(written("kmem/unbind"), "");
}

TEST_F(LinuxDaxDriver, R11_ABlockThatOnlyTouchesTheDeviceIsNotItsOwn) {
    tree.file("sys/devices/platform/hmem.0/dax0.0/mapping0/end", std::to_string(13 * size_128m + 4095));
    tree.block(13, "online\n", "Normal\n", 0);
    (void)set_mode(device(), DaxMode::unbound);
    EXPECT_EQ(written("kmem/unbind"), "dax0.0");
}

TEST_F(LinuxDaxDriver, R11_MemoryThatIsLostIsSaid) {
    tree.bound("dax0.0", "");
    tree.block(11, "offline\n", "Movable\n");
    for (const DaxMode mode : {DaxMode::system_ram, DaxMode::devdax, DaxMode::unbound}) {
        const auto result = set_mode(device(DaxMode::unbound), mode);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::reboot_required);
    }
    EXPECT_EQ(written("kmem/bind"), "");
}

TEST_F(LinuxDaxDriver, R11_WhereTheKernelCanUnplugAtOnceItIsAskedTo) {
    tree.file("sys/devices/platform/hmem.0/dax0.0/state", "offline\n");
    (void)set_mode(device(), DaxMode::unbound);
    EXPECT_EQ(tree.text("sys/devices/platform/hmem.0/dax0.0/state").substr(0, 9), "unplugged");
}

TEST_F(LinuxDaxDriver, R13_WithoutHotRemoveKmemIsNotLeft) {
    tree.file("sys/devices/system/memory/memory2/removable", "0\n");
    const auto result = set_mode(device(), DaxMode::unbound);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::not_supported);
    EXPECT_EQ(written("kmem/unbind"), "");
}

TEST_F(LinuxDaxDriver, R8_ANegativeTargetNodeIsRefusedBeforeKmemIsAsked) {
    tree.bound("dax0.0", "");
    DaxDevice dax = device(DaxMode::unbound);
    dax.target_node = no_node;
    const auto result = set_mode(dax, DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(result.error().text(), HasSubstr("node is -1"));
    EXPECT_EQ(written("kmem/bind"), "");
}

TEST_F(LinuxDaxDriver, R9_NothingLeftAfterAlignmentIsItsOwnError) {
    tree.bound("dax0.0", "");
    tree.file("sys/devices/platform/hmem.0/dax0.0/mapping0/end", std::to_string(10 * size_128m + 0x3ffffff));
    const auto result = set_mode(device(DaxMode::unbound), DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(result.error().text(), HasSubstr("no whole memory block"));
    EXPECT_EQ(written("kmem/bind"), "");
}

TEST_F(LinuxDaxDriver, AMissingDriverIsAskedForBeforeTheOldOneIsLeft) {
    const auto result = set_mode(device(), DaxMode::famfs);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::not_supported);
    EXPECT_THAT(result.error().advice, HasSubstr("load the module fsdev_dax"));
    EXPECT_EQ(written("kmem/unbind"), "");
}

TEST_F(LinuxDaxDriver, ABindThatDoesNotBindIsAnError) {
    tree.bound("dax0.0", "");  // files have no behaviour: the write goes well and nothing happens
    const auto result = set_mode(device(DaxMode::unbound), DaxMode::system_ram);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().errnum, EIO);
    EXPECT_EQ(written("kmem/bind"), "dax0.0");
    EXPECT_EQ(written("kmem/new_id"), "") << "every other unbound device would be bound as well";
}

TEST_F(LinuxDaxDriver, TheModeItHasIsSuccess) {
    tree.block(10, "online\n", "Movable\n");
    EXPECT_TRUE(set_mode(device(), DaxMode::system_ram));
    tree.remove("sys/devices/system/memory/memory10");
    tree.bound("dax0.0", "");
    EXPECT_TRUE(set_mode(device(DaxMode::unbound), DaxMode::unbound));
}

}  // namespace cxlmemd
