// SPDX-License-Identifier: LGPL-2.1-or-later
// From a topology file (docs/emulator.md) to the description of a machine, in two steps so that only
// one of them touches the file system. Input is hostile: every size is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "backends/emulator/description.h"
#include "policy/error.h"

namespace cxlmemd::emulator {

inline constexpr std::size_t max_file_bytes = std::size_t{1024} * 1024;
inline constexpr std::size_t max_text_bytes = 255;

// Lines and columns count from 1; 0 is "the file as a whole". One sentence without full stop.
struct FileProblem {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string message;

    bool operator==(const FileProblem&) const = default;
};

// "file:line:column: error: message"
[[nodiscard]] std::string to_string(const FileProblem& problem);

using ParsedMachine = tl::expected<MachineDescription, std::vector<FileProblem>>;

// Pure. Reports every problem it can find, in order of the file; `name` is what problems show.
[[nodiscard]] ParsedMachine parse_machine(std::string_view text, const std::string& name);

// Reads the file and parses it, and the file with the machine if this one has a scenario only:
// invalid_argument with the first problem, the place as the object. A file that cannot be read has its errno.
[[nodiscard]] Result<MachineDescription> read_machine_file(const std::string& path);

}  // namespace cxlmemd::emulator
