// SPDX-License-Identifier: LGPL-2.1-or-later
// From text to policy: text -> spanned syntax -> checked policy, each a step of its own.
//
// Pure: nobody here opens a file. Any thread. Input is hostile: every size is bounded.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "policy/kind_warnings.h"
#include "policy/policy.h"

namespace cxlmemd {

// A policy file as it was read. `name` is what problems and decisions show, usually its path.
struct SourceFile {
    std::string name;
    std::string text;

    bool operator==(const SourceFile&) const = default;
};

struct Compiled {
    Policy policy;                  // meaningful only if !has_errors(problems)
    std::vector<Problem> problems;  // in order of file, line, column
};

// Limits: beyond them there is one clear error at the place.
inline constexpr std::size_t max_file_bytes = std::size_t{1024} * 1024;
inline constexpr std::size_t max_files = 256;                                 // in one compile()
inline constexpr std::size_t max_total_bytes = std::size_t{4} * 1024 * 1024;  // of these together
inline constexpr std::size_t max_rules = 4096;                                // over all files
inline constexpr std::size_t max_name_bytes = 255;                            // a rule's name
inline constexpr std::size_t max_string_bytes = 4096;
inline constexpr std::size_t max_list_entries = 1024;
inline constexpr std::size_t max_problems = 4000;  // that are shown, over all files

// Files in the order in which their rules are tried (the caller sorted and masked them).
// Reports every problem it can find, not just the first.
// `stop`, if it becomes true meanwhile, ends it early with whatever there is by then: of no use to anybody.
[[nodiscard]] Compiled compile(const std::vector<SourceFile>& files, const std::atomic<bool>* stop = nullptr);

// The problems of files that are checked together, in basename order as they would be read. One called
// daemon.toml is settings, every other one policy. `seen`: what the machine has, for warnings about it.
[[nodiscard]] std::vector<Problem> check_files(std::vector<SourceFile> files,
                                               const std::atomic<bool>* stop = nullptr,
                                               const std::vector<SeenKind>& seen = {});

}  // namespace cxlmemd
