// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "cli/objects.h"
#include "cli/text.h"

namespace cxlmemctl {
namespace {

constexpr std::size_t bar_at_most = 40;
constexpr std::size_t bar_at_least = 8;

std::size_t terminal_columns() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

double progress_of(const nlohmann::json& job) {
    return text_of(job, "State") == "finished" ? 1.0 : std::clamp(real_of(job, "Progress"), 0.0, 1.0);
}

}  // namespace

std::string progress_text(const std::vector<nlohmann::json>& jobs, std::size_t columns) {
    if (jobs.empty()) return {};
    double sum = 0;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    for (const auto& job : jobs) {
        sum += progress_of(job);
        done += number_of(job, "BlocksDone");
        total += number_of(job, "BlocksTotal");
    }
    const double part = sum / static_cast<double>(jobs.size());
    const std::string head = jobs.size() == 1
                                 ? fmt::format("{} {}", escape(name_of_path(text_of(jobs[0], "Object"))),
                                               escape(text_of(jobs[0], "Operation")))
                                 : fmt::format("{} jobs", jobs.size());
    std::string tail = fmt::format(" {:3.0f}%", part * 100);
    if (total > 0) tail += fmt::format("  {} of {} blocks", done, total);

    // The last column stays free: some terminals wrap when it is written.
    const std::size_t used = width(head) + tail.size() + 4;
    if (used + bar_at_least > columns)
        return head.size() + tail.size() < columns ? head + tail : std::string{};
    const std::size_t cells = std::min(bar_at_most, columns - used);
    const auto full = static_cast<std::size_t>(part * static_cast<double>(cells));
    return fmt::format("{} [{}{}]{}", head, std::string(full, '#'), std::string(cells - full, '.'), tail);
}

void ProgressLine::draw(const std::vector<nlohmann::json>& jobs) {
    if (!on_) return;
    std::string text = progress_text(jobs, terminal_columns());
    if (text == shown_) return;
    fmt::print(stderr, "\r\x1b[K{}", text);
    std::fflush(stderr);
    shown_ = std::move(text);
}

void ProgressLine::clear() {
    if (shown_.empty()) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    shown_.clear();
}

}  // namespace cxlmemctl
