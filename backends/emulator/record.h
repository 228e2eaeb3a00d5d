// SPDX-License-Identifier: LGPL-2.1-or-later
// This machine as a topology file: what `cxlmemctl record` prints.
#pragma once

#include <string>

#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd::emulator {

// Who recorded, for the head of the file.
struct RecordedBy {
    std::string version;  // of cxlmemd
    std::string backend;  // "linux"
    std::string kernel;   // "Linux 6.12.95"; empty: no kernel was asked
};

// A topology file with a head of comments: where it comes from, and all that the emulator will not show as
// the topology has it. The same topology gives the same text. Pure, but for the time it takes: it switches
// the machine on to look at it. Failed, with the place in the text, if a file cannot say this: then it is
// larger than max_file_bytes, or a name in it is none.
[[nodiscard]] Result<std::string> record(const Topology& topology, const RecordedBy& by, bool anonymise);

}  // namespace cxlmemd::emulator
