// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/closed_text.h"

#include <algorithm>
#include <utility>

#include "policy/text.h"

namespace cxlmemd {

bool is_closed(const ClosedFiles& closed, const Place& place) {
    return closed.contains(place.file);
}

void close_text(bus::PlanEntry& entry, const ClosedFiles& closed) {
    if (closed.contains(entry.file)) entry.reason = closed_words;
}

void close_text(std::string& sentence, const ClosedFiles& closed) {
    for (const std::string& file : closed) {
        const std::size_t at = sentence.find(file);
        if (at == std::string::npos) continue;
        const std::size_t end = sentence.find("): ", at);
        sentence = end == std::string::npos ? closed_words : sentence.substr(0, end + 3) + closed_words;
        return;
    }
}

void close_text(std::vector<Problem>& problems, const ClosedFiles& closed) {
    if (closed.empty()) return;
    for (Problem& problem : problems) {
        // A problem of an open file may quote a closed one, too: it names the file.
        const bool quotes = std::ranges::any_of(
            closed, [&](const std::string& file) { return problem.message.find(file) != std::string::npos; });
        if (quotes || is_closed(closed, problem.place)) problem.message = closed_words;
    }
}

void close_text(bus::EffectivePolicy& policy, const ClosedFiles& closed) {
    for (ListedRule& rule : policy.rules) {
        if (!is_closed(closed, rule.place)) continue;
        rule.match = closed_words;
        rule.action = closed_words;
    }
    close_text(policy.problems, closed);
}

void close_text(std::vector<RejectedRule>& rejected, const ClosedFiles& closed) {
    for (RejectedRule& rule : rejected) {
        if (is_closed(closed, rule.place)) rule.why = {.key = {}, .want = closed_words, .seen = {}};
    }
}

void close_addresses(bus::PlanEntry& entry) {
    entry.reason = without_addresses(std::move(entry.reason));
}

void close_addresses(bus::Explanation& explanation) {
    close_addresses(explanation.decision);
    for (bus::PlanEntry& step : explanation.steps) close_addresses(step);
    for (std::string& obstacle : explanation.obstacles) obstacle = without_addresses(std::move(obstacle));
}

}  // namespace cxlmemd
