// SPDX-License-Identifier: LGPL-2.1-or-later
// The progress bar of the jobs that are waited for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cxlmemctl {

// "dax0.0 online  [######......]  50%  8 of 16 blocks", at most `columns` wide. Several jobs share one bar.
[[nodiscard]] std::string progress_text(const std::vector<nlohmann::json>& jobs, std::size_t columns);

// One line on standard error that is drawn over and over. Draws nothing if `on` is false.
class ProgressLine final {
 public:
    explicit ProgressLine(bool on) : on_(on) {}
    ~ProgressLine() { clear(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void draw(const std::vector<nlohmann::json>& jobs);
    void clear();

 private:
    bool on_;
    std::string shown_;
};

}  // namespace cxlmemctl
