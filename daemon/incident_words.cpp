// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/incident_words.h"

#include <fmt/format.h>

#include "policy/error.h"

namespace cxlmemd::incident {

std::string told(const Line& line, const Telling& telling) {
    const nlohmann::json& all = line.all;
    const auto why = [&](const std::string& reason) {
        return telling.reasons && !reason.empty() ? ": " + reason : std::string{};
    };
    const auto text = [&](const char* key) { return text_of(all, key); };
    if (line.what == "decision" || line.what == "standing") {
        std::string out =
            fmt::format("{} {} {} {}", line.what, text("device"), text("verdict"), text("action"));
        if (!text("rule").empty()) out += " by rule '" + text("rule") + "'";
        return out + why(text("reason"));
    }
    if (line.what == "answer") {
        std::string out = "kernel " + text("operation") + " " + text("object");
        if (all.contains("block")) {
            const std::uint64_t block = telling.block(number_of(all, "block"));
            const std::uint64_t count = number_of(all, "blocks");
            out += count == 1 ? fmt::format(" block {}", block)
                              : fmt::format(" {} blocks from {} up", count, block);
        }
        if (!text("value").empty()) out += " " + text("value");
        out += fmt::format(", {} us: ", number_of(all, "usec"));
        if (!all.contains("errno")) return out + "done";
        const auto errnum = static_cast<int>(number_of(all, "errno"));
        return out + (errnum == 0 ? "refused" : errno_name(errnum)) + why(text("error"));
    }
    if (line.what == "job") {
        const bool by_policy = all.contains("policy") && all["policy"] == true;
        return fmt::format("job {} {} {} {}", number_of(all, "id"), text("operation"), text("object"),
                           by_policy ? "for policy" : fmt::format("for uid {}", number_of(all, "uid")));
    }
    if (line.what == "job-end") {
        return fmt::format("job {} {} {}: {}", number_of(all, "id"), text("operation"), text("object"),
                           text("result")) +
               why(text("error"));
    }
    if (line.what == "comment") return "the emulator has no event for this" + why(text("text"));
    if (line.what == "policy") return fmt::format("policy generation {}", number_of(all, "generation"));
    if (line.what == "machine") return "the machine was written down anew";
    if (line.what == "start") return "cxlmemd " + text("version") + " was started";
    if (line.what == "stop") return "cxlmemd was stopped";
    if (const std::string reason = text("why"); line.what == "lost" && !reason.empty())
        return "lost: " + reason;
    if (line.what == "lost")
        return fmt::format("lost: {} lines", number_of(all, "lines") + number_of(all, "answers"));
    if (line.what == "damaged") return "lost: a line was cut off";
    return line.what;
}

}  // namespace cxlmemd::incident
