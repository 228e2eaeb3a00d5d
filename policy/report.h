// SPDX-License-Identifier: LGPL-2.1-or-later
// Collects the problems of one file. A checking function reports here and goes on.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/syntax.h"

namespace cxlmemd {

// More problems than this of one file help nobody and would let a hostile file take memory.
inline constexpr std::size_t max_problems_per_file = 1000;

// The first problems of many, as many as `most` and `bytes` of text allow. What is left out is one more
// problem, at the place of the first of them and of the worst severity among them: an error that is cut off
// stays one.
class ProblemList final {
 public:
    ProblemList(std::size_t most, std::size_t bytes) : most_(most), bytes_left_(bytes) {}
    void add(Problem problem);
    [[nodiscard]] std::vector<Problem> take();

 private:
    std::vector<Problem> shown_;
    std::size_t most_;
    std::size_t bytes_left_;
    std::optional<Problem> rest_;
    std::size_t left_out_ = 0;
};

class Report final {
 public:
    explicit Report(std::string file) : file_(std::move(file)) {}

    void error(syntax::Position at, std::string message);
    void warning(syntax::Position at, std::string message);
    // An error that an earlier step has reported already: it counts, and is not said again.
    void already_said() { ++errors_; }

    // True once further problems are only counted: their messages need not be made.
    [[nodiscard]] bool full() const { return problems_.size() >= max_problems_per_file; }

    // How many errors so far; a checker compares before and after to learn whether a rule is sound.
    [[nodiscard]] std::size_t errors() const { return errors_; }
    [[nodiscard]] Place place(syntax::Position at) const { return Place{file_, at.line, at.column}; }

    // All problems in order of line and column; what came beyond the limit is one problem of the worst
    // severity among them, so that an error never gets lost. Leaves the report empty.
    [[nodiscard]] std::vector<Problem> take();

 private:
    void add(syntax::Position at, Severity severity, std::string message);

    std::string file_;
    std::vector<Problem> problems_;  // without the file: its name may be long, and they are many
    std::optional<Problem> overflow_;
    std::size_t not_shown_ = 0;
    std::size_t errors_ = 0;
};

}  // namespace cxlmemd
