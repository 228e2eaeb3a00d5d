// SPDX-License-Identifier: LGPL-2.1-or-later
// Small state files: read whole, replaced atomically.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "policy/error.h"

namespace cxlmemd {

// nullopt if it does not exist.
[[nodiscard]] Result<std::optional<std::string>> read_small_file(const std::filesystem::path& path);
// Makes the folder if need be; new file, fsync, rename, fsync of the folder: a crash leaves the old content
// or the new, and success is durable.
[[nodiscard]] Result<> replace_small_file(const std::filesystem::path& path, const std::string& content);

}  // namespace cxlmemd
