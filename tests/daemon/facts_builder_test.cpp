// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/facts_builder.h"

#include <gtest/gtest.h>

namespace cxlmemd {
namespace {

TEST(FactsBuilder, StringsThatAreNotUtf8AreShownEscaped) {
    // A bus takes no such string: the object would not come about.
    const Holds nothing_is_held;
    Model model{nothing_is_held};
    Memdev memdev;
    memdev.name = "mem0";
    memdev.firmware = "1.2\xff\x1b[2J";
    memdev.host = "0000:\xc3:00.0";
    model.topology.memdevs.push_back(memdev);

    const bus::Snapshot snapshot = build_snapshot(model, totals_of(model), false);

    ASSERT_EQ(snapshot.memdevs.size(), 1U);
    EXPECT_EQ(snapshot.memdevs[0].firmware, R"(1.2\xff\x1b[2J)");
    EXPECT_EQ(snapshot.memdevs[0].host, R"(0000:\xc3:00.0)");
}

TEST(FactsBuilder, WhatPolicyAndTheKernelSayIsOneVisibleLine) {
    const Holds nothing_is_held;
    Model model{nothing_is_held};
    model.policy_files = {"/etc/cxlmemd/policy.d/a\nb\x1b.toml"};
    model.scan_error = Error{.object = "/sys/\xff", .operation = "read", .reason = "not\nreadable"};

    const bus::ManagerFacts manager = build_manager(model, totals_of(model), false);

    EXPECT_EQ(manager.policy_files.front(), R"(/etc/cxlmemd/policy.d/a\x0ab\x1b.toml)");
    EXPECT_EQ(manager.conflicts.back().second, R"(/sys/\xff: read: not\x0areadable)");
}

}  // namespace
}  // namespace cxlmemd
