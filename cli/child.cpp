// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/child.h"

#include <cxlmemctl_version.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

extern char** environ;

namespace cxlmemctl {

namespace fs = std::filesystem;

namespace {

class Fd final {
 public:
    explicit Fd(int fd) : fd_(fd) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { close_now(); }
    void close_now() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

Result<std::string> read_all(int fd, std::size_t most) {
    std::string out;
    std::array<char, 65536> piece{};
    while (out.size() <= most) {
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(Exit::failed, fmt::format("reading from cxlmemd: {}", std::strerror(errno)));
        if (got == 0) return out;
        out.append(piece.data(), static_cast<std::size_t>(got));
    }
    return fail(Exit::failed, fmt::format("cxlmemd printed more than {} bytes", most));
}

// 0, and `pid`, or an errno.
int spawn(const std::string& program, const std::vector<std::string>& arguments, int output, pid_t& pid) {
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    if (const int error = posix_spawn_file_actions_init(&actions); error != 0) return error;
    int error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0) error = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

}  // namespace

Result<std::string> find_daemon() {
    std::vector<fs::path> places;
    std::error_code ec;
    if (const fs::path own = fs::read_symlink("/proc/self/exe", ec); !ec) {
        const fs::path above = own.parent_path().parent_path();
        places = {above / "daemon/cxlmemd", above / "sbin/cxlmemd"};  // the build tree; an installation
    }
    places.emplace_back(daemon_program);
    for (const fs::path& place : places) {
        if (::access(place.c_str(), X_OK) == 0 && fs::is_regular_file(place, ec)) return place.string();
    }
    return fail(Exit::failed,
                fmt::format("plan --on needs the program {}, of the package cxlmemd, which is not "
                            "installed here",
                            daemon_program));
}

Result<ChildEnd> run_child(const std::string& program, const std::vector<std::string>& arguments,
                           std::size_t most) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail(Exit::failed, fmt::format("{}: cannot make a pipe: {}", program, std::strerror(errno)));
    Fd reads{ends[0]};
    Fd writes{ends[1]};
    pid_t pid = 0;
    if (const int error = spawn(program, arguments, writes.get(), pid); error != 0)
        return fail(Exit::failed, fmt::format("{}: cannot be started: {}", program, std::strerror(error)));
    writes.close_now();
    Result<std::string> output = read_all(reads.get(), most);
    reads.close_now();  // one that still writes ends by it
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!output) return tl::unexpected(output.error());
    return ChildEnd{std::move(*output), WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

Result<TemporaryFolder> TemporaryFolder::make() {
    std::error_code ec;
    std::string path = (fs::temp_directory_path(ec) / "cxlmemctl.XXXXXX").string();
    if (ec || mkdtemp(path.data()) == nullptr)
        return fail(Exit::failed, fmt::format("cannot make a temporary folder: {}",
                                              ec ? ec.message() : std::strerror(errno)));
    return TemporaryFolder{std::move(path)};
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ec;
    if (!path_.empty()) fs::remove_all(path_, ec);
}

}  // namespace cxlmemctl
