// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/iomem.h"

#include <gtest/gtest.h>

namespace cxlmemd {

namespace {

constexpr const char* leaked = R"(100000000-17fffffff : System RAM
4190000000-518fffffff : CXL Window 0
  4190000000-41cfffffff : region0
    4190000000-41cfffffff : dax0.0
      4190000000-41cfffffff : System RAM (kmem)
  41d0000000-420fffffff : region1
c000000000-c00002ffff : PCI Bus 0000:0c
)";

PhysRange range(std::uint64_t start, std::uint64_t size) {
    return {PhysAddr{start}, Bytes{size}};
}

}  // namespace

TEST(LinuxIomem, R10_NamesTheInnermostHolderOfARange) {
    EXPECT_EQ(iomem_holder(leaked, range(0x4198000000, 0x8000000)), "System RAM (kmem)");
    EXPECT_EQ(iomem_holder(leaked, range(0x17ff00000, 0x200000)), "System RAM");
    EXPECT_EQ(iomem_holder("90000000-9fffffff : Soft Reserved\n  90000000-9fffffff : hmem.0\n",
                           range(0x90000000, 0x1000)),
              "hmem.0");
}

TEST(LinuxIomem, AWindowOrARegionHoldsNothing) {
    EXPECT_EQ(iomem_holder(leaked, range(0x41d0000000, 0x8000000)), "");
    EXPECT_EQ(iomem_holder(leaked, range(0x5000000000, 0x8000000)), "");
}

TEST(LinuxIomem, AddressesThatAreHiddenTellNothing) {
    EXPECT_EQ(
        iomem_holder("00000000-00000000 : CXL Window 0\n  00000000-00000000 : dax0.0\n", range(0, 0x8000000)),
        "");
}

TEST(LinuxIomem, PassesOverWhatMakesNoSense) {
    for (const char* bad : {"", " : ", "-", "1-", "1-2", "zz-ff : x", "ff-1 : backwards",
                            "1-fffffffffffffffffffff : x", "- : "}) {
        EXPECT_EQ(iomem_holder(bad, range(0, 0x8000000)), "") << bad;
    }
}

}  // namespace cxlmemd
