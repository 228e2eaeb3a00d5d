// SPDX-License-Identifier: LGPL-2.1-or-later
// check_files(): what --check-config FILE... and CheckPolicy do with the files that they are given.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "policy/compile.h"
#include "policy/report.h"
#include "policy/settings.h"

namespace cxlmemd {

namespace {

std::string_view basename_of(const SourceFile& file) {
    const std::string_view name = file.name;
    return name.substr(name.rfind('/') + 1);  // npos + 1 is 0
}

}  // namespace

std::vector<Problem> check_files(std::vector<SourceFile> files, const std::atomic<bool>* stop,
                                 const std::vector<SeenKind>& seen) {
    std::ranges::stable_sort(files, {}, basename_of);
    ProblemList problems{max_problems, std::numeric_limits<std::size_t>::max()};
    // compile() says the same of policy alone; here settings count as well.
    if (files.size() > max_files) {
        return {{.place = {.file = files[max_files].name},
                 .message = fmt::format("too many: {} files are the limit", max_files)}};
    }
    std::size_t bytes = 0;
    for (const SourceFile& file : files) {
        bytes += file.text.size();
        if (bytes <= max_total_bytes) continue;
        return {{.place = {.file = file.name},
                 .message = fmt::format("too large: {} bytes of all files together are the limit",
                                        max_total_bytes)}};
    }
    std::vector<SourceFile> policy;
    for (SourceFile& file : files) {
        if (stop != nullptr && *stop) break;
        if (basename_of(file) == "daemon.toml") {
            for (Problem& problem : compile_settings(file).problems) problems.add(std::move(problem));
        } else {
            policy.push_back(std::move(file));
        }
    }
    Compiled compiled = compile(policy, stop);
    const bool sound = !has_errors(compiled.problems);
    for (Problem& problem : compiled.problems) problems.add(std::move(problem));
    if (sound) {
        for (Problem& problem : kind_warnings(compiled.policy, seen)) problems.add(std::move(problem));
    }
    return problems.take();
}

}  // namespace cxlmemd
