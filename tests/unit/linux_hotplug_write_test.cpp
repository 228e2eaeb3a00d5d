// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/hotplug_write.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace cxlmemd {

namespace {

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::bad_alloc();
        read_end = sysfs::Fd(ends[0]);
        write_end = sysfs::Fd(ends[1]);
    }
    sysfs::Fd read_end;
    sysfs::Fd write_end;
};

}  // namespace

TEST(LinuxHotplugWrite, WritesOnce) {
    const Pipe pipe;
    EXPECT_TRUE(hotplug_write(pipe.write_end, "offline"));
    std::array<char, 16> got{};
    EXPECT_EQ(::read(pipe.read_end.get(), got.data(), got.size()), 7);
}

TEST(LinuxHotplugWrite, KeepsTheErrno) {
    const sysfs::Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(hotplug_write(full, "offline").error(), ENOSPC);
    EXPECT_EQ(hotplug_write(sysfs::Fd{}, "offline").error(), EBADF) << "not taken for an interruption";
}

TEST(LinuxHotplugWrite, BreakingNothingDoesNothing) {
    const Pipe pipe;
    break_hotplug_write();
    EXPECT_TRUE(hotplug_write(pipe.write_end, "offline"));
    break_hotplug_write();
    EXPECT_TRUE(hotplug_write(pipe.write_end, "offline"));
}

// SA_RESTART makes a pipe's write begin anew after a handler, as the kernel makes a hotplug write do.
TEST(LinuxHotplugWrite, AWriteThatRestartsItselfIsEndedByTheHandler) {
    Pipe pipe;
    const std::string fill(1 << 20, 'x');
    ::fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK);
    while (::write(pipe.write_end.get(), fill.data(), fill.size()) > 0) {
    }
    ::fcntl(pipe.write_end.get(), F_SETFL, 0);
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) { break_hotplug_write(); };
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGALRM, &action, &before);
    const itimerval soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 50'000}};
    ::setitimer(ITIMER_REAL, &soon, nullptr);
    const auto result = hotplug_write(pipe.write_end, "offline");
    ::sigaction(SIGALRM, &before, nullptr);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), EINTR);
}

}  // namespace cxlmemd
