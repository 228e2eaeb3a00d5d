// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/kernel_events.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>

namespace cxlmemd {

namespace {

using std::string_literals::operator""s;

std::string block_message(const std::string& action, const std::string& name) {
    const std::string path = "/devices/system/memory/" + name;
    return action + "@" + path + "\0ACTION="s + action + "\0DEVPATH="s + path +
           "\0SUBSYSTEM=memory\0SEQNUM=9\0"s;
}

}  // namespace

TEST(LinuxKernelEvents, ABoundDaxDeviceIsCompleteAndNamed) {
    const auto event = read_kernel_event(
        "bind@/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0\0"
        "ACTION=bind\0"
        "DEVPATH=/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0\0"
        "SUBSYSTEM=dax\0DRIVER=kmem\0SEQNUM=2251\0"s);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->subject, "dax0.0");
    EXPECT_EQ(event->scope, Event::Scope::everything);
    EXPECT_TRUE(event->complete);
    EXPECT_FALSE(event->removed);
}

TEST(LinuxKernelEvents, ABlockIsLookedAtAlone) {
    for (const char* action : {"remove", "online", "offline"}) {
        const auto event = read_kernel_event(block_message(action, "memory178"));
        ASSERT_TRUE(event) << action;
        EXPECT_EQ(event->scope, Event::Scope::block);
        EXPECT_EQ(event->block, BlockIndex{178});
        EXPECT_FALSE(event->growing);
        EXPECT_EQ(event->removed, action == "remove"s);
    }
}

// Its node's link comes later: a look at once would not find it.
TEST(LinuxKernelEvents, AnAddedBlockIsOneOfMany) {
    const auto event = read_kernel_event(block_message("add", "memory178"));
    ASSERT_TRUE(event);
    EXPECT_TRUE(event->growing);
}

TEST(LinuxKernelEvents, NothingElseIsTaken) {
    for (const std::string& message : {
             "unbind@/devices/x/dax0.0\0ACTION=unbind\0DEVPATH=/devices/x/dax0.0\0SUBSYSTEM=dax\0"s,
             "bind@/devices/x/region0\0ACTION=bind\0DEVPATH=/devices/x/region0\0SUBSYSTEM=cxl\0"s,
             "ACTION=bind\0SUBSYSTEM=dax\0DEVPATH=/devices/x/dax0.0\0"s,
             "online@/devices/system/cpu/cpu3\0ACTION=online\0SUBSYSTEM=cpu\0"s,
             "online@/devices/x/memory12\0ACTION=online\0"s,
             block_message("change", "memory178"),
             block_message("add", "memory"),
             block_message("add", "memory99999999999999999999"),
             "bind@"s,
             "@"s,
             ""s,
         }) {
        EXPECT_FALSE(read_kernel_event(message)) << message;
    }
}

// The filter runs in the kernel; any socket of datagrams can wear it.
TEST(LinuxKernelEvents, TheFilterDropsWhatIsNotRead) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    const sysfs::Fd from{ends[0]};
    const sysfs::Fd to{ends[1]};
    keep_what_is_read(to.get());
    const auto passes = [&](const std::string& message) {
        EXPECT_EQ(::send(from.get(), message.data(), message.size(), 0),
                  static_cast<ssize_t>(message.size()));
        std::array<char, 4096> text{};
        return ::recv(to.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(message.size());
    };
    for (const char* action : {"add", "remove", "online", "offline"}) {
        EXPECT_TRUE(passes(block_message(action, "memory0"))) << action;
        EXPECT_FALSE(passes(action + "@/devices/system/node/node1"s)) << action;
        EXPECT_FALSE(passes(action + "@/devices/virtual/memory_tiering/memory_tier4"s)) << action;
    }
    EXPECT_TRUE(passes("bind@/devices/platform/x/dax0.0\0ACTION=bind\0SUBSYSTEM=dax\0"s));
    for (const std::string& message :
         {"move@/devices/virtual/net/lo"s, "change@/devices/virtual/block/dm-0"s,
          "unbind@/devices/platform/x/dax0.0"s, "online@/devices/system/cpu/cpu3"s,
          "offline@/devices/system/cpu/cpu3"s, "libudev\0\xfe\xed\xca\xfe"s, "a"s}) {
        EXPECT_FALSE(passes(message)) << message;
    }
}

TEST(LinuxKernelEvents, TheSocketIsThereForAnybody) {
    KernelEvents events;
    EXPECT_GE(events.fd(), 0);
    EXPECT_EQ(events.next().what, KernelEvents::Next::What::nothing);
}

}  // namespace cxlmemd
