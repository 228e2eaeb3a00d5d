// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <ctime>

#include "cli/failure.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

// Local time of day: "14:03:59.012".
std::string clock_view(std::uint64_t usec) {
    const auto seconds = static_cast<std::time_t>(usec / 1'000'000);
    std::tm local{};
    localtime_r(&seconds, &local);
    return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec,
                       usec / 1000 % 1000);
}

std::string changes_view(const json& changed) {
    std::string out;
    for (const auto& [key, value] : changed.items()) {
        out += fmt::format("{}{}={}", out.empty() ? "" : " ", escape(key), value_view(key, value));
    }
    return out;
}

std::string decision_view(const json& details) {
    std::string out;
    for (const std::string& part : {escape(text_of(details, "verdict")), step_view(details),
                                    rule_view(details), escape(text_of(details, "reason"))}) {
        if (!part.empty()) out += (out.empty() ? "" : "; ") + part;
    }
    return out;
}

std::string blocks_view(const json& job) {
    const auto total = number_of(job, "BlocksTotal");
    if (total == 0) return {};
    const auto done = number_of(job, "BlocksDone");
    return done == total ? fmt::format("{} block{}", total, total == 1 ? "" : "s")
                         : fmt::format("{} of {} blocks", done, total);
}

}  // namespace

std::string job_end_view(const json& job, const Paint& paint) {
    const std::string result = text_of(job, "Result");
    std::string out =
        fmt::format("{}: {} {}", escape(name_of_path(text_of(job, "Object"))),
                    escape(text_of(job, "Operation")), paint(colour_of(result), escape(result)));
    if (const std::string blocks = blocks_view(job); !blocks.empty()) out += ", " + blocks;
    const json error = job.is_object() ? job.value("Error", json::object()) : json::object();
    const std::string message = text_of(error, "message");
    if (!message.empty()) out += ": " + escape(message);
    if (result != "done" && result != "canceled" && !says_what_to_do(message))
        out += escape("; see: cxlmemctl explain " + name_of_path(text_of(job, "Object")));
    return out;
}

std::string event_view(const json& event, const Paint& paint) {
    const std::string kind = text_of(event, "Event");
    const std::string object = escape(name_of_path(text_of(event, "Object")));
    std::string what;
    if (kind == "changed") {
        what = changes_view(event.value("Properties", json::object()));
    } else if (kind == "decision") {
        what = decision_view(event.value("Details", json::object()));
    } else if (kind == "job-new") {
        what = escape(name_of_path(text_of(event, "Job")));
    } else if (kind == "job-removed") {
        const std::string result = text_of(event, "Result");
        what = escape(name_of_path(text_of(event, "Job"))) + " " + paint(colour_of(result), escape(result));
    }
    std::string line =
        fmt::format("{} {:<11} {}", clock_view(number_of(event, "TimeUsec")), escape(kind), object);
    if (!what.empty()) line += ": " + what;
    return line + "\n";
}

}  // namespace cxlmemctl
