// SPDX-License-Identifier: LGPL-2.1-or-later
// The progress bar of the jobs that are waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cxlmemctl {

// "dax0.0 online  [######......]  50%  8 of 16 blocks", at most `columns` wide. Several jobs share one bar.
// `pace` stands at the end if there is room.
[[nodiscard]] std::string progress_text(const std::vector<nlohmann::json>& jobs, std::size_t columns,
                                        const std::string& pace = {});

// How fast the jobs are, by what the last seconds saw of them.
class Pace final {
 public:
    using Clock = std::chrono::steady_clock;

    // `block_size` in bytes; 0: not known.
    explicit Pace(std::uint64_t block_size) : block_size_(block_size) {}
    void add(Clock::time_point now, const std::vector<nlohmann::json>& jobs);
    // ", 1.5 GiB/s, 12 s left"; ", stalled" if nothing has moved for ten seconds; empty until a second has
    // been seen.
    [[nodiscard]] std::string text() const;

 private:
    struct Sample {
        Clock::time_point when;
        double fraction = 0;
        std::uint64_t blocks = 0;
    };
    std::uint64_t block_size_;
    std::deque<Sample> samples_;
};

// One line on standard error that is drawn over and over. Draws nothing if `on` is false.
class ProgressLine final {
 public:
    ProgressLine(bool on, std::uint64_t block_size) : on_(on), pace_(block_size) {}
    ~ProgressLine() { clear(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void draw(const std::vector<nlohmann::json>& jobs);
    void clear();

 private:
    bool on_;
    Pace pace_;
    std::string shown_;
};

}  // namespace cxlmemctl
