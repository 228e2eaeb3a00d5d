// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/config_trust.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace cxlmemd {

namespace fs = std::filesystem;

Owners root_and_self() {
    return {0, ::geteuid()};
}

std::optional<Problem> distrust(const fs::path& path, const struct stat& st, const Owners& owners) {
    const unsigned mode = st.st_mode & 07777U;
    std::string what;
    if (std::ranges::find(owners, st.st_uid) == owners.end()) {
        // Not whose: in a user namespace, as the service's, all other users are one.
        what = fmt::format("belongs to a user other than root (mode {:04o})", mode);
    } else if ((mode & S_IWOTH) != 0) {
        what = fmt::format("is writable by everyone (mode {:04o})", mode);
    } else if ((mode & S_IWGRP) != 0) {
        what = fmt::format("is writable by its group (mode {:04o})", mode);
    } else {
        return std::nullopt;
    }
    return Problem{
        .place = {.file = path.string(), .line = 0, .column = 0},
        .severity = Severity::error,
        .message = fmt::format("{}, and {} not used: check what it says, then chown root and chmod go-w it",
                               what, S_ISDIR(st.st_mode) ? "the files in it are" : "is")};
}

std::optional<Problem> distrust_above(const fs::path& path, const Owners& owners) {
    std::error_code ec;
    const fs::path above = fs::absolute(path, ec).lexically_normal().parent_path();
    struct stat st {};
    if (ec || ::stat(above.c_str(), &st) != 0 || (st.st_mode & S_ISVTX) != 0) return std::nullopt;
    return distrust(above, st, owners);
}

std::optional<Problem> distrust_folder(const fs::path& folder, const Owners& owners) {
    struct stat st {};
    if (::stat(folder.c_str(), &st) != 0) return std::nullopt;  // who reads it says why
    if (auto problem = distrust(folder, st, owners)) return problem;
    return distrust_link(folder, owners);
}

std::optional<Problem> distrust_link(const fs::path& path, const Owners& owners) {
    std::error_code ec;
    if (!fs::is_symlink(path, ec)) return std::nullopt;
    const fs::path target = fs::canonical(path, ec);
    return ec ? std::nullopt : distrust_above(target, owners);
}

}  // namespace cxlmemd
