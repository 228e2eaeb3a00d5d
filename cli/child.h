// SPDX-License-Identifier: LGPL-2.1-or-later
// Running cxlmemd for what it alone can do: policy over recorded machines.
#pragma once

#include <string>
#include <vector>

#include "cli/failure.h"

namespace cxlmemctl {

// The daemon's program: of the same build or installation as this one, else where it was to be installed.
// Failed, naming the package, if there is none.
[[nodiscard]] Result<std::string> find_daemon();

struct ChildEnd {
    std::string output;  // all of its standard output
    int code = 0;        // its exit code; -1: it was killed
};

// Runs a program to its end, with standard input empty and standard error ours. Failed if it cannot be
// started, or prints more than `most` bytes.
[[nodiscard]] Result<ChildEnd> run_child(const std::string& program,
                                         const std::vector<std::string>& arguments, std::size_t most);

// A folder of its own, readable by this user alone, that goes with everything in it.
class TemporaryFolder final {
 public:
    [[nodiscard]] static Result<TemporaryFolder> make();
    TemporaryFolder(TemporaryFolder&& other) noexcept;
    TemporaryFolder& operator=(TemporaryFolder&&) = delete;
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    [[nodiscard]] const std::string& path() const { return path_; }

 private:
    explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;  // empty: nothing to remove
};

}  // namespace cxlmemctl
