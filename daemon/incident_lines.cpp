// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/incident_lines.h"

#include <utility>

namespace cxlmemd::incident {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::uint64_t number_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::vector<Line> parsed(const FlightLines& lines) {
    std::vector<Line> out;
    for (const std::string& text : lines) {
        json all = json::parse(text, nullptr, false);
        if (all.is_discarded() || !all.is_object()) {
            out.push_back({.usec = out.empty() ? 0 : out.back().usec,
                           .m = out.empty() ? 0 : out.back().m,
                           .what = "damaged",
                           .all = json::object()});
            continue;
        }
        Line line{number_of(all, "t"), number_of(all, "m"), text_of(all, "what"), std::move(all)};
        if (line.what == "lost" && line.usec == 0 && !out.empty()) {
            line.usec = out.back().usec;
            line.m = out.back().m;
        }
        out.push_back(std::move(line));
    }
    return out;
}

std::optional<std::size_t> beginning(const std::vector<Line>& lines, std::uint64_t since_usec) {
    std::optional<std::size_t> out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].what != "machine") continue;
        if (out && lines[i].usec > since_usec) break;
        out = i;
    }
    return out;
}

}  // namespace cxlmemd::incident
