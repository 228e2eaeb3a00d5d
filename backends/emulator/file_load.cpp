// SPDX-License-Identifier: LGPL-2.1-or-later
// The one place of the emulator that reads a file.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "backends/emulator/file.h"

namespace cxlmemd::emulator {

namespace {

Error unreadable(const std::string& path, int errnum, std::string reason) {
    return {.code = errnum != 0 ? code_of_errno(errnum) : ErrorCode::invalid_argument,
            .object = path,
            .operation = "read",
            .errnum = errnum,
            .reason = std::move(reason),
            .advice = {}};
}

Result<MachineDescription> read_one(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text(max_file_bytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.eof() && file.fail()) {
        Error error = unreadable(path, errno, "the machine's description cannot be read");
        if (error.errnum == 0) error.code = ErrorCode::failed;
        return fail(std::move(error));
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    ParsedMachine parsed = parse_machine(text, path);
    if (parsed) return std::move(*parsed);
    const FileProblem& first = parsed.error().front();
    const std::size_t more = parsed.error().size() - 1;
    return fail({.code = ErrorCode::invalid_argument,
                 .object = fmt::format("{}:{}:{}", first.file, first.line, first.column),
                 .operation = {},
                 .errnum = 0,
                 .reason = more == 0 ? first.message : fmt::format("{} (and {} more)", first.message, more),
                 .advice = {}});
}

}  // namespace

Result<MachineDescription> read_machine_file(const std::string& path) {
    Result<MachineDescription> read = read_one(path);
    if (!read || !read->machine_file) return read;
    const std::string other = (std::filesystem::path{path}.parent_path() / *read->machine_file).string();
    Result<MachineDescription> machine = read_one(other);
    if (!machine) return machine;
    if (machine->machine_file) {
        return fail(unreadable(other, 0, "it has a scenario and no machine, \"machine\" is to name one"));
    }
    // What is to happen in that machine anyway, and what this scenario has.
    Scenario both = std::move(machine->scenario);
    both.seed = read->scenario.seed;
    std::ranges::move(read->scenario.steps, std::back_inserter(both.steps));
    machine->scenario = std::move(both);
    return machine;
}

}  // namespace cxlmemd::emulator
