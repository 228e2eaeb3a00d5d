// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/check_config.h"

#include <algorithm>
#include <iostream>

#include "daemon/configuration.h"

namespace cxlmemd {

namespace {

// Who may write a file matters where the daemon reads it, not in the folder where somebody works on it.
std::vector<Problem> problems_of(const std::vector<std::filesystem::path>& paths, const ConfigPaths& config) {
    std::vector<Problem> problems;
    std::vector<SourceFile> files;
    for (const auto& path : paths) {
        const Owners* owners = is_configuration(path, config) ? &config.owners : nullptr;
        if (is_masked(path)) {
            files.push_back({path.string(), {}});
        } else if (auto text = read_source(path, owners)) {
            files.push_back({path.string(), std::move(*text)});
        } else {
            problems.push_back(text.error());
        }
    }
    std::ranges::move(check_files(std::move(files)), std::back_inserter(problems));
    return problems;
}

}  // namespace

int check_config(const Options& options, const ConfigPaths& paths) {
    std::vector<Problem> problems;
    std::string rules;
    if (options.files.empty()) {
        LoadedConfig loaded = load_config(paths);
        problems = std::move(loaded.problems);
        // Of a policy with errors nobody can say what it would do.
        rules = listing_text(loaded.policy_sound ? listing(loaded.policy) : std::vector<ListedRule>{},
                             loaded.origins);
    } else {
        problems = problems_of(options.files, paths);
    }
    for (const Problem& problem : problems) std::cout << to_string(problem) << '\n';
    std::cout << rules;
    return has_errors(problems) ? 1 : 0;
}

}  // namespace cxlmemd
