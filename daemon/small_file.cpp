// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace cxlmemd {

namespace fs = std::filesystem;

namespace {

tl::unexpected<Error> failed(const fs::path& path, const char* operation, int error) {
    return fail({.code = ErrorCode::failed,
                 .object = path.string(),
                 .operation = operation,
                 .errnum = error,
                 .reason = "the state file could not be used"});
}

// What was renamed is there after a power cut once its folder is on disk.
Result<> sync_folder(const fs::path& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed(folder, "open", errno);
    const int error = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (error != 0 && error != EINVAL) return failed(folder, "sync", error);  // EINVAL: it has no such thing
    return {};
}

}  // namespace

Result<std::optional<std::string>> read_small_file(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT) return std::optional<std::string>{};
        return failed(path, "open", errno);
    }
    std::string text;
    std::array<char, 4096> buffer{};
    int error = 0;
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) error = errno;
        if (n <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    ::close(fd);
    if (error != 0) return failed(path, "read", error);
    return std::optional<std::string>{std::move(text)};
}

Result<> replace_small_file(const fs::path& path, const std::string& content) {
    std::error_code ec;
    fs::create_directories(path.parent_path(), ec);
    if (ec) return failed(path, "create folder", ec.value());

    const fs::path fresh = path.string() + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return failed(fresh, "open", errno);
    std::size_t used = 0;
    int error = 0;
    while (used < content.size() && error == 0) {
        const ssize_t n = ::write(fd, content.data() + used, content.size() - used);
        if (n >= 0) {
            used += static_cast<std::size_t>(n);
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    if (error == 0 && ::fsync(fd) != 0) error = errno;
    ::close(fd);
    if (error != 0) return failed(fresh, "write", error);
    if (::rename(fresh.c_str(), path.c_str()) != 0) return failed(path, "rename", errno);
    return sync_folder(path.parent_path());
}

}  // namespace cxlmemd
