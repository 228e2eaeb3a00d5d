// SPDX-License-Identifier: LGPL-2.1-or-later
// [scenario] and [[step]] of a topology or scenario file.
#pragma once

#include <string>

#include "backends/emulator/file_table.h"
#include "backends/emulator/scenario.h"

namespace cxlmemd::emulator {

// Notes what is wrong at its place. Every step that is given back could be injected as it stands.
[[nodiscard]] Scenario read_scenario(FileTable& root, const std::string& file);

}  // namespace cxlmemd::emulator
