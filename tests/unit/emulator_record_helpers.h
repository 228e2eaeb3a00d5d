// SPDX-License-Identifier: LGPL-2.1-or-later
// Test helper: records a topology, switches the record on, and looks at it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "backends/emulator/differences.h"
#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"
#include "backends/emulator/record.h"
#include "backends/emulator/recorded_machine.h"

namespace cxlmemd::emulator::test {

inline const std::filesystem::path machines =
    std::filesystem::path(__FILE__).parent_path() / "../../backends/emulator/machines";

[[nodiscard]] inline std::vector<std::filesystem::path> ready_machines() {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator(machines)) out.push_back(entry.path());
    std::ranges::sort(out);
    return out;
}

[[nodiscard]] inline Topology scan(const Emulator& emulator) {
    return emulator.pair.worker_side->scan().value();
}

[[nodiscard]] inline std::string text_of(const Topology& topology, bool made_up_serials = false) {
    auto text = record(topology, {"1.2.3", "linux", "Linux 6.12.95"}, made_up_serials);
    EXPECT_TRUE(text) << text.error().text();
    return text.value_or("");
}

[[nodiscard]] inline Topology replayed(const Topology& topology) {
    const ParsedMachine machine = parse_machine(text_of(topology), "record");
    EXPECT_TRUE(machine) << to_string(machine.error().front());
    return scan(make_emulator(machine.value_or(MachineDescription{})));
}

// Nothing is lost, and nothing is said to be.
inline void expect_exact(const Topology& topology) {
    EXPECT_THAT(recorded_machine(topology).differences, ::testing::IsEmpty());
    EXPECT_THAT(differences(topology, replayed(topology)), ::testing::IsEmpty());
    EXPECT_THAT(text_of(topology), ::testing::Not(::testing::HasSubstr("otherwise")));
}

}  // namespace cxlmemd::emulator::test
