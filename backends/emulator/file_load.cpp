// The one place of the emulator that reads a file.
#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "backends/emulator/file.h"

namespace cxlmemd::emulator {

Result<MachineDescription> read_machine_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text(max_file_bytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.eof() && file.fail()) {
        Error error{.code = ErrorCode::failed,
                    .object = path,
                    .operation = "read",
                    .errnum = errno,
                    .reason = {},
                    .advice = {}};
        error.reason = "the machine's description cannot be read";
        if (errno != 0) error.code = code_of_errno(errno);
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

}  // namespace cxlmemd::emulator
