#include "backends/linux/bind_events.h"

#include <gtest/gtest.h>

#include <string>

namespace cxlmemd {

namespace {

using std::string_literals::operator""s;

}  // namespace

TEST(LinuxBindEvents, ABoundDaxDeviceIsNamed) {
    EXPECT_EQ(bound_dax("bind@/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0\0"
                        "ACTION=bind\0"
                        "DEVPATH=/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0\0"
                        "SUBSYSTEM=dax\0DRIVER=kmem\0SEQNUM=2251\0"s),
              "dax0.0");
}

TEST(LinuxBindEvents, NothingElseIs) {
    EXPECT_EQ(
        bound_dax("unbind@/devices/x/dax0.0\0ACTION=unbind\0DEVPATH=/devices/x/dax0.0\0SUBSYSTEM=dax\0"s),
        "");
    EXPECT_EQ(bound_dax("bind@/devices/x/region0\0ACTION=bind\0DEVPATH=/devices/x/region0\0SUBSYSTEM=cxl\0"s),
              "");
    EXPECT_EQ(bound_dax("ACTION=bind\0SUBSYSTEM=dax\0"s), "");
    EXPECT_EQ(bound_dax("ACTION=bind\0SUBSYSTEM=dax\0DEVPATH="), "");
    EXPECT_EQ(bound_dax(""), "");
}

TEST(LinuxBindEvents, TheSocketIsThereForAnybody) {
    BindEvents events;
    EXPECT_GE(events.fd(), 0);
    EXPECT_EQ(events.next().what, BindEvents::Next::What::nothing);
}

}  // namespace cxlmemd
