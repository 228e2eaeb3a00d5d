// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/config_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>

#include "policy/error.h"
#include "policy/text.h"

namespace cxlmemd {

namespace fs = std::filesystem;

namespace {

class Fd final {
 public:
    explicit Fd(int fd) : fd_(fd) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

Problem file_problem(const fs::path& path, const std::string& message) {
    return {.place = {.file = path.string(), .line = 0, .column = 0},
            .severity = Severity::error,
            .message = message};
}

bool is_utf8(const std::string& text) {
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text, i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

}  // namespace

bool is_masked(const fs::path& path) {
    struct stat link {};
    struct stat target {};
    struct stat null {};
    return ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode) && ::stat(path.c_str(), &target) == 0 &&
           S_ISCHR(target.st_mode) && ::stat("/dev/null", &null) == 0 && target.st_rdev == null.st_rdev;
}

bool is_open_to_all(const fs::path& path) {
    std::error_code ec;
    fs::path at = fs::canonical(path, ec);
    if (ec) return false;
    struct stat st {};
    if (::stat(at.c_str(), &st) != 0 || (st.st_mode & S_IROTH) == 0) return false;
    while (at.has_relative_path()) {
        at = at.parent_path();
        if (::stat(at.c_str(), &st) != 0 || (st.st_mode & S_IXOTH) == 0) return false;
    }
    return true;
}

bool is_policy_name(const std::string& name) {
    return name.ends_with(".toml") && !name.starts_with('.');
}

ConfigPaths ConfigPaths::system() {
    return {.policy_dirs = {"/etc/cxlmemd/policy.d", "/run/cxlmemd/policy.d", "/usr/lib/cxlmemd/policy.d"},
            .settings_files = {"/etc/cxlmemd/daemon.toml", "/usr/lib/cxlmemd/daemon.toml"},
            .owners = {0}};
}

ConfigPaths ConfigPaths::only(const fs::path& dir) {
    return {.policy_dirs = {dir / "policy.d"}, .settings_files = {dir / "daemon.toml"}};
}

bool is_configuration(const fs::path& path, const ConfigPaths& paths) {
    std::error_code ec;
    const fs::path folder = fs::weakly_canonical(fs::absolute(path, ec).parent_path(), ec);
    const auto is_here = [&](const fs::path& other) { return fs::weakly_canonical(other, ec) == folder; };
    return std::ranges::any_of(paths.policy_dirs, is_here) ||
           std::ranges::any_of(paths.settings_files,
                               [&](const fs::path& file) { return is_here(file.parent_path()); });
}

tl::expected<std::string, Problem> read_source(const fs::path& path, const Owners* owners) {
    const auto failed = [&](int error) {
        return tl::unexpected{file_problem(path, "cannot be read (" + errno_name(error) + ")")};
    };
    // O_NONBLOCK: a fifo in the folder must not hang the daemon.
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (fd.get() < 0) return failed(errno);
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return failed(errno);
    if (!S_ISREG(st.st_mode)) return tl::unexpected{file_problem(path, "is not a regular file")};
    if (owners != nullptr) {
        if (auto problem = distrust(path, st, *owners)) return tl::unexpected{std::move(*problem)};
        if (auto problem = distrust_link(path, *owners)) return tl::unexpected{std::move(*problem)};
    }

    // In pieces: the text is kept as long as it is in force, and room for the largest file would be too.
    std::string text;
    std::array<char, 16384> piece{};
    while (text.size() <= max_file_bytes) {
        const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(errno);
        if (n == 0) break;
        text.append(piece.data(), static_cast<std::size_t>(n));
    }
    text.resize(std::min(text.size(), max_file_bytes + 1));
    return text;
}

PolicyFiles read_policy_files(const ConfigPaths& paths) {
    PolicyFiles out;
    std::map<std::string, std::vector<fs::path>> by_name;  // the first folder that has a name wins
    for (const fs::path& dir : paths.policy_dirs) {
        std::error_code ec;
        fs::directory_iterator it{dir, ec};
        if (ec) {
            if (ec != std::errc::no_such_file_or_directory) {
                out.problems.push_back(file_problem(dir, "cannot be read (" + errno_name(ec.value()) + ")"));
            }
            continue;
        }
        auto distrusted = distrust_folder(dir, paths.owners);
        if (!distrusted) distrusted = distrust_above(dir, paths.owners);
        if (distrusted) {
            out.problems.push_back(std::move(*distrusted));
            continue;
        }
        for (; it != fs::directory_iterator{} && by_name.size() <= max_files; it.increment(ec)) {
            const std::string name = it->path().filename().string();
            if (!is_policy_name(name)) continue;
            if (is_utf8(name)) {
                by_name[name].push_back(it->path());
            } else {
                out.problems.push_back(
                    file_problem(dir, "the file name " + in_quotes(name) + " is not UTF-8: rename the file"));
            }
        }
        if (ec) out.problems.push_back(file_problem(dir, "cannot be read (" + errno_name(ec.value()) + ")"));
    }
    std::size_t bytes = 0;
    for (const auto& [name, layers] : by_name) {
        const fs::path& path = layers.front();
        const bool masked = is_masked(path);
        out.origins.push_back({path.string(), masked ? "/dev/null" : ""});
        for (std::size_t i = 1; i < layers.size(); ++i)
            out.origins.push_back({layers[i].string(), path.string()});
        if (masked || bytes > max_total_bytes) continue;
        auto text = read_source(path, &paths.owners);
        if (!text) {
            out.problems.push_back(text.error());
        } else if (!text->empty()) {
            bytes += text->size();
            if (!is_open_to_all(path)) out.closed.insert(path.string());
            out.files.push_back({path.string(), std::move(*text)});
        }
    }
    return out;
}

tl::expected<std::optional<SourceFile>, Problem> read_settings_source(const ConfigPaths& paths) {
    for (const fs::path& path : paths.settings_files) {
        std::error_code ec;
        if (!fs::exists(fs::symlink_status(path, ec))) continue;
        if (auto problem = distrust_folder(path.parent_path(), paths.owners)) {
            return tl::unexpected{std::move(*problem)};
        }
        if (is_masked(path)) return SourceFile{path.string(), {}};
        auto text = read_source(path, &paths.owners);
        if (!text) return tl::unexpected{text.error()};
        return SourceFile{path.string(), std::move(*text)};
    }
    return std::nullopt;
}

CompiledSettings read_settings(const ConfigPaths& paths) {
    auto source = read_settings_source(paths);
    if (!source) return {.settings = {}, .problems = {source.error()}};
    return *source ? compile_settings(**source) : CompiledSettings{};
}

}  // namespace cxlmemd
