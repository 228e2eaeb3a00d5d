// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cxlmemd {

void ProblemList::add(Problem problem) {
    const std::size_t bytes = problem.place.file.size() + problem.message.size();
    if (!rest_ && shown_.size() < most_ && bytes <= bytes_left_) {
        bytes_left_ -= bytes;
        return shown_.push_back(std::move(problem));
    }
    ++left_out_;
    if (!rest_) rest_ = Problem{problem.place, problem.severity, {}};
    if (problem.severity == Severity::error) rest_->severity = Severity::error;
}

std::vector<Problem> ProblemList::take() {
    if (rest_) {
        rest_->message = fmt::format("{} more problems, this one the first, are not shown", left_out_);
        shown_.push_back(std::move(*rest_));
        rest_.reset();
    }
    return std::exchange(shown_, {});
}

void Report::error(syntax::Position at, std::string message) {
    ++errors_;
    add(at, Severity::error, std::move(message));
}

void Report::warning(syntax::Position at, std::string message) {
    add(at, Severity::warning, std::move(message));
}

void Report::add(syntax::Position at, Severity severity, std::string message) {
    if (!full()) {
        problems_.push_back(Problem{{{}, at.line, at.column}, severity, std::move(message)});
        return;
    }
    ++not_shown_;
    if (!overflow_) overflow_ = Problem{place(at), severity, {}};
    if (severity == Severity::error) overflow_->severity = severity;
}

std::vector<Problem> Report::take() {
    if (overflow_) {
        overflow_->message =
            fmt::format("{} more problems of this file, this one the first, are not shown", not_shown_);
        problems_.push_back(std::move(*overflow_));
        overflow_.reset();
    }
    std::ranges::stable_sort(problems_, {}, [](const Problem& p) {
        return std::pair{p.place.line, p.place.column};
    });
    for (Problem& problem : problems_) problem.place.file = file_;
    return std::exchange(problems_, {});
}

}  // namespace cxlmemd
