// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a configuration file says what root wrote: policy moves memory, so whoever may write it is as good
// as root.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "policy/policy.h"

struct stat;

namespace cxlmemd {

// Users whose files count.
using Owners = std::vector<uid_t>;

// For a configuration of one's own: root, and the user that this process runs as.
[[nodiscard]] Owners root_and_self();

// What is wrong with a file or folder that has these attributes: another user owns it, or its group or
// everyone may write it. nullopt: nothing.
[[nodiscard]] std::optional<Problem> distrust(const std::filesystem::path& path, const struct stat& st,
                                              const Owners& owners);

// The same for a folder of configuration files. One that does not exist has nothing wrong with it.
[[nodiscard]] std::optional<Problem> distrust_folder(const std::filesystem::path& folder,
                                                     const Owners& owners);

// The same for the folder that a path lies in, where others could put another file or folder in its place;
// with the sticky bit (/tmp) they cannot.
[[nodiscard]] std::optional<Problem> distrust_above(const std::filesystem::path& path, const Owners& owners);

// For a link: likewise where it leads to. nullopt for what is not a link, or leads nowhere.
[[nodiscard]] std::optional<Problem> distrust_link(const std::filesystem::path& path, const Owners& owners);

}  // namespace cxlmemd
