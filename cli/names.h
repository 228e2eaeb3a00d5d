// SPDX-License-Identifier: LGPL-2.1-or-later
// From what the user typed to the object that is meant. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "cli/objects.h"

namespace cxlmemctl {

// Finds the one object called `name`: "dax0.0", "dax/dax0.0", "node1", "job 3", "job3", or its whole
// object path. With `wanted`, an object of another kind is an error that says what to name instead, and
// a bare number is a job if jobs are wanted. Unknown and ambiguous names list near matches.
[[nodiscard]] Result<Object> resolve(const Objects& objects, std::string_view name,
                                     std::optional<Kind> wanted = std::nullopt);

// The same for what can be removed: a region or a memdev.
[[nodiscard]] Result<Object> resolve_removable(const Objects& objects, std::string_view name);

// The same for what can be released: a dax device, a region or a memdev.
[[nodiscard]] Result<Object> resolve_releasable(const Objects& objects, std::string_view name);

// "job" "3" as two arguments is "job 3" as one.
[[nodiscard]] std::vector<std::string> join_job_words(const std::vector<std::string>& words);

// How many letters to change, add or take away to get from one to the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace cxlmemctl
