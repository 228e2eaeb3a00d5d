// SPDX-License-Identifier: LGPL-2.1-or-later
// The largest machine that the project promises to be quick on, as an emulator file: 16 TiB in 131,072 memory
// blocks of 128 MiB, 64 cards, 1,000 dax devices. tests/bus/fleet_machine.py writes the same one.
#pragma once

#include <cstddef>
#include <string>

#include "policy/topology.h"

namespace cxlmemd::test {

inline constexpr std::size_t server_cards = 64;
inline constexpr std::size_t server_devices = 1'000;
inline constexpr std::size_t server_blocks = 131'072;

[[nodiscard]] std::string large_server_text();

// What the emulator's backend scans of it.
[[nodiscard]] Topology large_server();

}  // namespace cxlmemd::test
