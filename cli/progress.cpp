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
constexpr std::chrono::seconds window{10};

std::size_t terminal_columns() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

double progress_of(const nlohmann::json& job) {
    return text_of(job, "State") == "finished" ? 1.0 : std::clamp(real_of(job, "Progress"), 0.0, 1.0);
}

struct Sum {
    double fraction = 0;  // of all together
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

Sum sum_of(const std::vector<nlohmann::json>& jobs) {
    Sum out;
    for (const auto& job : jobs) {
        out.fraction += progress_of(job) / static_cast<double>(jobs.size());
        out.done += number_of(job, "BlocksDone");
        out.total += number_of(job, "BlocksTotal");
    }
    return out;
}

std::string rate_text(double bytes) {
    constexpr double mib = 1U << 20U;
    constexpr double gib = 1U << 30U;
    return bytes >= gib ? fmt::format("{:.1f} GiB", bytes / gib) : fmt::format("{:.0f} MiB", bytes / mib);
}

}  // namespace

std::string progress_text(const std::vector<nlohmann::json>& jobs, std::size_t columns,
                          const std::string& pace) {
    if (jobs.empty()) return {};
    const Sum sum = sum_of(jobs);
    const std::string head = jobs.size() == 1
                                 ? fmt::format("{} {}", escape(name_of_path(text_of(jobs[0], "Object"))),
                                               escape(text_of(jobs[0], "Operation")))
                                 : fmt::format("{} jobs", jobs.size());
    std::string tail = fmt::format(" {:3.0f}%", sum.fraction * 100);
    if (sum.total > 0) tail += fmt::format("  {} of {} blocks", sum.done, sum.total);

    // The last column stays free: some terminals wrap when it is written.
    const auto used = [&] { return width(head) + tail.size() + 4; };
    if (used() + pace.size() + bar_at_least <= columns) tail += pace;
    if (used() + bar_at_least > columns)
        return head.size() + tail.size() < columns ? head + tail : std::string{};
    const std::size_t cells = std::min(bar_at_most, columns - used());
    const auto full = static_cast<std::size_t>(sum.fraction * static_cast<double>(cells));
    return fmt::format("{} [{}{}]{}", head, std::string(full, '#'), std::string(cells - full, '.'), tail);
}

void Pace::add(Clock::time_point now, const std::vector<nlohmann::json>& jobs) {
    const Sum sum = sum_of(jobs);
    samples_.push_back({now, sum.fraction, sum.done});
    // One older than the window stays, so that the window is full.
    while (samples_.size() > 2 && now - samples_[1].when >= window) samples_.pop_front();
}

std::string Pace::text() const {
    if (samples_.empty()) return {};
    const Sample& first = samples_.front();
    const Sample& last = samples_.back();
    const double seconds = std::chrono::duration<double>(last.when - first.when).count();
    if (seconds < 1) return {};
    const double moved = last.fraction - first.fraction;
    if (moved <= 0) return last.when - first.when >= window ? ", stalled" : "";
    std::string out;
    if (block_size_ > 0 && last.blocks > first.blocks) {
        const double bytes =
            static_cast<double>(last.blocks - first.blocks) * static_cast<double>(block_size_);
        out += fmt::format(", {}/s", rate_text(bytes / seconds));
    }
    const double left = (1 - last.fraction) * seconds / moved;
    return out +
           (left < 90 ? fmt::format(", {:.0f} s left", left) : fmt::format(", {:.0f} min left", left / 60));
}

void ProgressLine::draw(const std::vector<nlohmann::json>& jobs) {
    if (!on_) return;
    pace_.add(Pace::Clock::now(), jobs);
    std::string text = progress_text(jobs, terminal_columns(), pace_.text());
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
