#include "cli/files.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace cxlmemctl {
namespace {

// The daemon's own limit is 1 MiB a file; more than this is no policy and is not carried over the bus.
constexpr std::size_t read_at_most = 4U << 20U;

}  // namespace

Result<FileText> read_file(const std::string& name) {
    const bool standard_input = name == "-";
    const std::unique_ptr<FILE, int (*)(FILE*)> opened(
        standard_input ? nullptr : std::fopen(name.c_str(), "re"),
        [](FILE* file) { return std::fclose(file); });
    FILE* file = standard_input ? stdin : opened.get();
    if (file == nullptr) return fail(Exit::failed, fmt::format("{}: {}", name, std::strerror(errno)));
    FileText out{standard_input ? "standard input" : name, {}};
    std::string chunk(65536, '\0');
    while (out.text.size() <= read_at_most) {
        const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file);
        if (got == 0) break;
        out.text.append(chunk, 0, got);
    }
    if (std::ferror(file) != 0) return fail(Exit::failed, fmt::format("{}: {}", name, std::strerror(errno)));
    if (out.text.size() > read_at_most) return fail(Exit::failed, name + ": too large, more than 4 MiB");
    return out;
}

}  // namespace cxlmemctl
