// check_files(): what --check-config FILE... and CheckPolicy do with the files that they are given.
#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "policy/compile.h"
#include "policy/settings.h"

namespace cxlmemd {

namespace {

std::string_view basename_of(const SourceFile& file) {
    const std::string_view name = file.name;
    return name.substr(name.rfind('/') + 1);  // npos + 1 is 0
}

}  // namespace

std::vector<Problem> check_files(std::vector<SourceFile> files) {
    std::ranges::stable_sort(files, {}, basename_of);
    std::vector<Problem> problems;
    std::vector<SourceFile> policy;
    for (SourceFile& file : files) {
        if (basename_of(file) == "daemon.toml") {
            std::ranges::move(compile_settings(file).problems, std::back_inserter(problems));
        } else {
            policy.push_back(std::move(file));
        }
    }
    std::ranges::move(compile(policy).problems, std::back_inserter(problems));
    return problems;
}

}  // namespace cxlmemd
