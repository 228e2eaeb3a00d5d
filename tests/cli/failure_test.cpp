// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/failure.h"

#include <gtest/gtest.h>

namespace cxlmemctl {
namespace {

TEST(FailureOfDbus, SaysHowToStartADaemonThatIsNotThere) {
    const Failure failure = failure_of_dbus("org.freedesktop.DBus.Error.ServiceUnknown", "whatever");
    EXPECT_EQ(failure.code, Exit::unreachable);
    EXPECT_EQ(failure.message, "the daemon is not running; start it with: systemctl start cxlmemd");
}

TEST(FailureOfDbus, MeansUnreachableWhenTheDaemonDiesOrHangs) {
    for (const char* name : {"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
                             "org.freedesktop.DBus.Error.Timeout"}) {
        EXPECT_EQ(failure_of_dbus(name, "x").code, Exit::unreachable) << name;
    }
}

TEST(FailureOfDbus, TellsNotAuthorisedFromFailed) {
    EXPECT_EQ(failure_of_dbus("org.cxlmemd1.Error.NotAuthorized", "no").code, Exit::not_authorized);
    EXPECT_EQ(failure_of_dbus("org.freedesktop.DBus.Error.AccessDenied", "no").code, Exit::not_authorized);
    EXPECT_EQ(failure_of_dbus("org.cxlmemd1.Error.Busy", "dax0.0: busy").code, Exit::failed);
    EXPECT_EQ(failure_of_dbus("org.cxlmemd1.Error.Busy", "dax0.0: busy").message,
              "dax0.0: busy; see: cxlmemctl list jobs");
    EXPECT_EQ(failure_of_dbus("org.cxlmemd1.Error.Busy", "").message,
              "org.cxlmemd1.Error.Busy; see: cxlmemctl list jobs");
    EXPECT_EQ(
        failure_of_dbus("org.cxlmemd1.Error.Conflict", "held; release it with: cxlmemctl release d").message,
        "held; release it with: cxlmemctl release d");
    EXPECT_EQ(failure_of_dbus("some.other.Error", "x").message,
              "x; see: cxlmemctl status, journalctl -u cxlmemd");
}

TEST(FailureOfDbus, TellsTheDaemonsTimeLimitFromADaemonThatIsSilent) {
    EXPECT_EQ(failure_of_dbus("org.cxlmemd1.Error.TimedOut", "CheckPolicy: 10 s").code, Exit::timed_out);
    EXPECT_EQ(failure_of_dbus("org.freedesktop.DBus.Error.TimedOut", "x").code, Exit::unreachable);
}

TEST(ExitOfResult, FollowsTheJob) {
    EXPECT_EQ(exit_of_result("done", ""), Exit::done);
    EXPECT_EQ(exit_of_result("partial", "org.cxlmemd1.Error.Busy"), Exit::partial);
    EXPECT_EQ(exit_of_result("timeout", ""), Exit::timed_out);
    for (const char* result : {"canceled", "failed", "gone", "", "something new"}) {
        EXPECT_EQ(exit_of_result(result, ""), Exit::failed) << result;
    }
    EXPECT_EQ(exit_of_result("failed", "org.cxlmemd1.Error.NotAuthorized"), Exit::not_authorized);
}

TEST(Combine, IsPartialIfOnlySomeWereDone) {
    EXPECT_EQ(combine(Exit::done, Exit::done), Exit::done);
    EXPECT_EQ(combine(Exit::failed, Exit::failed), Exit::failed);
    EXPECT_EQ(combine(Exit::done, Exit::failed), Exit::partial);
    EXPECT_EQ(combine(Exit::partial, Exit::done), Exit::partial);
    EXPECT_EQ(combine(Exit::done, Exit::not_authorized), Exit::not_authorized);
    EXPECT_EQ(combine(Exit::unreachable, Exit::failed), Exit::unreachable);
}

}  // namespace
}  // namespace cxlmemctl
