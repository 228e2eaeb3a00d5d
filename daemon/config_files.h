// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading policy folders and daemon.toml from disk: which files count, in which order.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/config_trust.h"
#include "policy/compile.h"
#include "policy/error.h"
#include "policy/listing.h"
#include "policy/policy.h"
#include "policy/settings.h"

namespace cxlmemd {

// Where configuration lies. An earlier folder's file masks one of the same name in a later folder.
struct ConfigPaths {
    std::vector<std::filesystem::path> policy_dirs;
    std::vector<std::filesystem::path> settings_files;  // the first that exists counts
    Owners owners = root_and_self();                    // files and folders of others are not used

    // /etc, /run, /usr/lib; of root.
    [[nodiscard]] static ConfigPaths system();
    // DIR/daemon.toml and DIR/policy.d alone; of root and the user that this process runs as.
    [[nodiscard]] static ConfigPaths only(const std::filesystem::path& dir);
};

struct PolicyFiles {
    std::vector<SourceFile> files;    // in basename order
    std::vector<Problem> problems;    // files that could not be read, or others may write
    std::vector<PolicyFile> origins;  // all that were found, by basename and then by folder
    std::set<std::string> closed;     // of the files, those that not everyone may read
};

// Whether everyone may read the file: by its mode, and that of each folder on the way to it. False if that
// cannot be found out.
[[nodiscard]] bool is_open_to_all(const std::filesystem::path& path);

// All *.toml files: masked by name, a link to /dev/null (or an empty file of that name) masks and
// counts as no file. A folder that does not exist is no problem; one that cannot be read is, and one that
// others may write, whose files neither count nor mask. Reads no
// more than what makes compile() say that there are too many files, or too much in them.
[[nodiscard]] PolicyFiles read_policy_files(const ConfigPaths& paths);

// The daemon.toml that counts; nullopt if none exists.
[[nodiscard]] tl::expected<std::optional<SourceFile>, Problem> read_settings_source(const ConfigPaths& paths);

// The same, compiled; built-in settings if no file exists.
[[nodiscard]] CompiledSettings read_settings(const ConfigPaths& paths);

// A link to /dev/null, however it is written.
[[nodiscard]] bool is_masked(const std::filesystem::path& path);

// Whether a file of that name in a policy folder counts. Hidden ones do not: editors and configuration
// managers keep their own there while they work.
[[nodiscard]] bool is_policy_name(const std::string& name);

// One file, at most max_file_bytes + 1 bytes of it (so that the compiler can say that it is too
// large). Regular files only; with owners, only files that nobody else may write.
[[nodiscard]] tl::expected<std::string, Problem> read_source(const std::filesystem::path& path,
                                                             const Owners* owners = nullptr);

// Whether a file of that path would be one of the configuration's.
[[nodiscard]] bool is_configuration(const std::filesystem::path& path, const ConfigPaths& paths);

}  // namespace cxlmemd
