// SPDX-License-Identifier: LGPL-2.1-or-later
// What both programs do with their arguments: trace_X [MACHINE] SCENARIO-FILE.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/contract/trace_machine.h"

namespace cxlmemd::contract {

// Prints the trace of the scenario in that file. Those that it comes after are run first, without a word, if
// `replay` says that the machine is a fresh one. Answers the exit status: 2 if the text is wrong or the
// machine could not be cleaned up, with the reason on standard error.
[[nodiscard]] int print_trace(const std::string& path, TraceMachine& machine, bool replay);

}  // namespace cxlmemd::contract
