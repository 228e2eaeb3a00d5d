// SPDX-License-Identifier: LGPL-2.1-or-later
// From the description of a machine to a topology file: what file.h reads.
#pragma once

#include <string>
#include <string_view>

#include "backends/emulator/description.h"

namespace cxlmemd::emulator {

// parse_machine() makes the same description of it, if that keeps to the limits of a file. Ports come out
// as the lists of cards below them. Pure.
[[nodiscard]] std::string write_machine(const MachineDescription& machine);

// Comment lines of the text: a paragraph, broken at 110 columns. `hanging` is put before its first line, and
// so many spaces before the others.
[[nodiscard]] std::string toml_comment(std::string_view text, std::string_view hanging = "");

}  // namespace cxlmemd::emulator
