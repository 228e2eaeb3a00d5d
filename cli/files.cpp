// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
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

Result<Exit> replace_file(const std::string& name, const std::string& text) {
    const auto failed = [&](const char* what) {
        return fail(Exit::failed, fmt::format("{}: {}: {}", name, what, std::strerror(errno)));
    };
    std::string temporary = name + ".XXXXXX";
    const int fd = mkstemp(temporary.data());
    if (fd < 0) return failed("cannot make a file beside it");
    const std::unique_ptr<FILE, int (*)(FILE*)> file(fdopen(fd, "w"), [](FILE* f) { return std::fclose(f); });
    constexpr mode_t for_everyone = 0644;
    const bool written = file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                         std::fflush(file.get()) == 0 && fchmod(fd, for_everyone) == 0;
    if (written && std::rename(temporary.c_str(), name.c_str()) == 0) return Exit::done;
    const auto result = failed("cannot be written");
    unlink(temporary.c_str());
    return result;
}

}  // namespace cxlmemctl
