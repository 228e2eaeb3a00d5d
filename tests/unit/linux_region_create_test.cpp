// SPDX-License-Identifier: LGPL-2.1-or-later
// The writes that make a region, and those that take it back. The tree has no behaviour: what the kernel
// would do in between (make the folder, attach the decoder) stands there already. The rest: tests/vm.
#include "backends/linux/region_create.h"

#include <gmock/gmock.h>

#include "backends/linux/cxl_ports.h"
#include "backends/linux/sysfs.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LinuxRegionCreate : public testing::Test {
 protected:
    LinuxRegionCreate() {
        tree_.file(root_ + "/decoder0.0/create_ram_region", "region0\n");
        tree_.file(root_ + "/decoder0.0/delete_region", "");
        tree_.file(root_ + "/decoder0.0/size", "0x100000000\n");
        tree_.file(root_ + "/decoder0.0/target_list", "12\n");
        tree_.folder("sys/devices/pci0000:0c");
        tree_.folder("sys/devices/pci0000:0d");
        tree_.link(root_ + "/dport12", "../../../pci0000:0c");
        device("decoder0.0", "decoder0.0");
        port(1, "pci0000:0c", 2, "mem0");
        port(4, "pci0000:0d", 5, "mem1");
        tree_.file("sys/bus/cxl/drivers/cxl_region/bind", "");
        for (const char* attribute : {"interleave_granularity", "interleave_ways", "size", "target0"})
            tree_.file(root_ + "/decoder0.0/region0/" + attribute, "");
        tree_.file(root_ + "/decoder0.0/region0/commit", "0\n");
        device("region0", "decoder0.0/region0");
    }

    void device(const std::string& name, const std::string& below_root) const {
        tree_.link("sys/bus/cxl/devices/" + name,
                   "../../../devices/platform/ACPI0017:00/root0/" + below_root);
    }

    // A host bridge's port with one endpoint, which has two decoders, the first of them taken.
    void port(int number, const std::string& bridge, int endpoint, const std::string& memdev) const {
        const std::string id = std::to_string(endpoint);
        const std::string at = "port" + std::to_string(number) + "/endpoint" + id;
        tree_.folder("sys/devices/" + bridge + "/" + memdev);
        tree_.link("sys/bus/cxl/devices/" + memdev, "../../../devices/" + bridge + "/" + memdev);
        tree_.link(root_ + "/port" + std::to_string(number) + "/parent_dport", "../../../../" + bridge);
        tree_.link(root_ + "/" + at + "/uport", "../../../../../" + bridge + "/" + memdev);
        device("endpoint" + id, at);
        for (const std::string decoder : {".0", ".1"}) {
            const std::string name = "decoder" + id + decoder;
            tree_.file(root_ + "/" + at + "/" + name + "/dpa_size",
                       decoder == ".0" ? "0x40000000\n" : "0x0\n");
            tree_.file(root_ + "/" + at + "/" + name + "/mode", "none\n");
            tree_.file(root_ + "/" + at + "/" + name + "/region", "\n");
            device(name, at + "/" + name);
        }
    }

    [[nodiscard]] std::string text(const std::string& device, const std::string& attribute) const {
        return tree_.text("sys/bus/cxl/devices/" + device + "/" + attribute);
    }

    [[nodiscard]] RegionOrder order() const {
        const auto generation = sysfs::inode(paths_.cxl_devices() + "/mem0");
        return {.type = RegionType::ram,
                .root_decoder = "decoder0.0",
                .members = {{"mem0", generation.value_or(0)}},
                .interleave_granularity = 256,
                .size = Bytes{1ULL << 30}};
    }

    const std::string root_ = "sys/devices/platform/ACPI0017:00/root0";
    FakeTree tree_;
    LinuxPaths paths_ = tree_.paths();
    RegionCreate create_{paths_};
};

TEST_F(LinuxRegionCreate, RootDecoderLeadsToTheCardsBelowItsHostBridges) {
    EXPECT_THAT(memdevs_below(paths_, "decoder0.0", read_endpoints(paths_)), ElementsAre("mem0"));
}

TEST_F(LinuxRegionCreate, KernelWithoutParentDportIsReadByThePortsOwnDevice) {
    tree_.remove(root_ + "/port1/parent_dport");
    tree_.link(root_ + "/port1/uport", "../../../../pci0000:0c");
    EXPECT_THAT(memdevs_below(paths_, "decoder0.0", read_endpoints(paths_)), ElementsAre("mem0"));
}

TEST_F(LinuxRegionCreate, DraftNamesWhatWillBeTakenAndChangesNothing) {
    const auto draft = create_.draft(order());
    ASSERT_TRUE(draft) << draft.error().text();
    EXPECT_EQ(draft->trace.region, "region0");
    EXPECT_THAT(draft->trace.decoders, ElementsAre("decoder2.1"));  // the first has capacity already
    EXPECT_EQ(text("decoder0.0", "create_ram_region"), "region0\n");
}

TEST_F(LinuxRegionCreate, DraftForAnotherIncarnationIsGone) {
    RegionOrder stale = order();
    ++stale.members[0].generation;
    EXPECT_EQ(create_.draft(stale).error().code, ErrorCode::gone);
    tree_.remove("sys/bus/cxl/devices/mem0");
    EXPECT_EQ(create_.draft(order()).error().code, ErrorCode::gone);
}

TEST_F(LinuxRegionCreate, DraftOnAKernelWithoutVolatileRegionsIsNotSupported) {
    tree_.remove(root_ + "/decoder0.0/create_ram_region");
    EXPECT_EQ(create_.draft(order()).error().code, ErrorCode::not_supported);
}

TEST_F(LinuxRegionCreate, CardWithoutAFreeDecoderIsBusy) {
    tree_.file(root_ + "/port1/endpoint2/decoder2.1/dpa_size", "0x10000000\n");
    EXPECT_EQ(create_.draft(order()).error().code, ErrorCode::busy);
}

TEST_F(LinuxRegionCreate, EveryAttributeIsWrittenAndTheDriverBound) {
    const auto draft = create_.draft(order());
    ASSERT_TRUE(draft);
    const auto made = create_.create(*draft);
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_THAT(text("decoder0.0", "create_ram_region"), HasSubstr("region0"));
    EXPECT_THAT(text("region0", "interleave_granularity"), HasSubstr("256"));
    EXPECT_THAT(text("region0", "interleave_ways"), HasSubstr("1"));
    EXPECT_THAT(text("region0", "size"), HasSubstr("1073741824"));
    EXPECT_THAT(text("decoder2.1", "mode"), HasSubstr("ram"));
    EXPECT_THAT(text("decoder2.1", "dpa_size"), HasSubstr("1073741824"));
    EXPECT_THAT(text("region0", "target0"), HasSubstr("decoder2.1"));
    EXPECT_THAT(text("region0", "commit"), HasSubstr("1"));
    EXPECT_THAT(tree_.text("sys/bus/cxl/drivers/cxl_region/bind"), HasSubstr("region0"));
    EXPECT_EQ(text("decoder0.0", "delete_region"), "");
}

// Each attribute in turn cannot be written: the region is deleted and the card's capacity given back.
class LinuxRegionUndo : public LinuxRegionCreate, public testing::WithParamInterface<const char*> {};

TEST_P(LinuxRegionUndo, TakesBackWhatWasDone) {
    const auto draft = create_.draft(order());
    ASSERT_TRUE(draft);
    tree_.remove(root_ + "/" + GetParam());
    const auto made = create_.create(*draft);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().text(), HasSubstr("ENOENT"));
    EXPECT_EQ(text("decoder0.0", "delete_region"), "region0");
    if (std::string{GetParam()}.find("dpa_size") == std::string::npos) {
        EXPECT_EQ(sysfs::read_number(paths_.cxl_devices() + "/decoder2.1/dpa_size").value_or(1) & 1, 0U);
    }
    EXPECT_EQ(tree_.text("sys/bus/cxl/drivers/cxl_region/bind"), "");
}

INSTANTIATE_TEST_SUITE_P(Attribute, LinuxRegionUndo,
                         testing::Values("decoder0.0/region0/interleave_granularity",
                                         "decoder0.0/region0/interleave_ways", "decoder0.0/region0/size",
                                         "port1/endpoint2/decoder2.1/mode",
                                         "port1/endpoint2/decoder2.1/dpa_size",
                                         "decoder0.0/region0/target0"));

TEST_F(LinuxRegionCreate, NameThatAnotherTookIsNotTakenBack) {
    const auto draft = create_.draft(order());
    ASSERT_TRUE(draft);
    tree_.remove(root_ + "/decoder0.0/create_ram_region");
    EXPECT_FALSE(create_.create(*draft));
    EXPECT_EQ(text("decoder0.0", "delete_region"), "");
}

TEST_F(LinuxRegionCreate, ClearLeavesACompleteRegionAndOneOfOtherDecoders) {
    const RegionTrace trace{"region0", "decoder0.0", {"decoder2.1"}};
    tree_.file(root_ + "/decoder0.0/region0/target0", "decoder9.0\n");
    EXPECT_TRUE(create_.clear(trace));
    EXPECT_EQ(text("decoder0.0", "delete_region"), "");
    tree_.file(root_ + "/decoder0.0/region0/target0", "decoder2.1\n");
    tree_.link(root_ + "/decoder0.0/region0/driver", "../../../../../../bus/cxl/drivers/cxl_region");
    EXPECT_TRUE(create_.clear(trace));
    EXPECT_EQ(text("decoder0.0", "delete_region"), "");
}

TEST_F(LinuxRegionCreate, ClearOfWhatIsNotThereIsSuccess) {
    EXPECT_TRUE(create_.clear({"region7", "decoder0.0", {"decoder2.1", "decoder8.0"}}));
    EXPECT_EQ(text("decoder0.0", "delete_region"), "");
}

}  // namespace
}  // namespace cxlmemd
