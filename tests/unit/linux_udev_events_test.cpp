// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/udev_events.h"

#include <gtest/gtest.h>

namespace cxlmemd {

TEST(LinuxUdevEvents, DevicesNodesAndTiersAskForAScan) {
    for (const char* subsystem : {"cxl", "dax", "memory_tiering", "node"}) {
        const auto event = translate_event(subsystem, "x1", "add");
        ASSERT_TRUE(event);
        EXPECT_EQ(event->scope, Event::Scope::everything);
        EXPECT_FALSE(event->removed);
    }
}

TEST(LinuxUdevEvents, R7_ARemovedDeviceIsNamed) {
    const auto event = translate_event("dax", "dax0.0", "remove");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->subject, "dax0.0");
    EXPECT_TRUE(event->removed);
    EXPECT_FALSE(translate_event("dax", "dax0.0", "unbind")->removed) << "it is still there";
}

TEST(LinuxUdevEvents, WhatIsNoneOfItsBusinessIsLeftOut) {
    EXPECT_FALSE(translate_event("block", "sda", "add"));
    EXPECT_FALSE(translate_event("memory", "memory178", "online")) << "the kernel has told it already";
    EXPECT_FALSE(translate_event("", "", ""));
}

}  // namespace cxlmemd
