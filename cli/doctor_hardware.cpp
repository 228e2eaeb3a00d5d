// SPDX-License-Identifier: LGPL-2.1-or-later
// Cards, windows, nodes and memory, as the daemon shows them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "cli/doctor_checks.h"
#include "cli/units.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

// Calls `visit` for each object of a kind.
template <class Visit>
void each(const Facts& facts, Kind kind, Answer& answer, Visit visit) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon == nullptr) return;
    for (const Object& object : daemon->objects) {
        if (object.kind == kind) visit(daemon->objects, object);
    }
}

bool names(const json& paths, const std::string& path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
}

// Windows that lead to a card.
std::vector<const Object*> windows_of(const Objects& objects, const Object& card) {
    std::vector<const Object*> out;
    for (const Object& object : objects) {
        if (object.kind == Kind::decoder && names(list_of(object.properties, "Memdevs"), card.path))
            out.push_back(&object);
    }
    return out;
}

std::uint64_t capacity_of(const Object& card) {
    return number_of(card.properties, "RamSize") + number_of(card.properties, "PmemSize");
}

void cards_by_reason(const Facts& facts, Answer& answer,
                     bool (*wanted)(const Objects& objects, const Object& card, const std::string& reason)) {
    each(facts, Kind::memdev, answer, [&](const Objects& objects, const Object& card) {
        const std::string reason = text_of(card.properties, "Reason");
        if (!reason.empty() && wanted(objects, card, reason))
            add_seen(answer, card.name,
                     fmt::format("{} ({}): {}", card.name, text_of(card.properties, "Host"), reason));
    });
}

bool is_plain(const std::string& reason) {
    return reason.find("plain System RAM") != std::string::npos;
}

bool lacks_region(const std::string& reason) {
    return reason.ends_with(", no region");
}

void without_region(const Facts& facts, Answer& answer) {
    cards_by_reason(facts, answer, [](const Objects& objects, const Object& card, const std::string& reason) {
        return lacks_region(reason) && !windows_of(objects, card).empty();
    });
}

void plain_ram(const Facts& facts, Answer& answer) {
    cards_by_reason(facts, answer, [](const Objects&, const Object&, const std::string& reason) {
        return is_plain(reason);
    });
}

void not_managed(const Facts& facts, Answer& answer) {
    cards_by_reason(facts, answer, [](const Objects&, const Object&, const std::string& reason) {
        return !is_plain(reason) && !lacks_region(reason);
    });
}

void without_window(const Facts& facts, Answer& answer) {
    each(facts, Kind::memdev, answer, [&](const Objects& objects, const Object& card) {
        if (capacity_of(card) == 0 || !windows_of(objects, card).empty()) return;
        add_seen(answer, card.name,
                 fmt::format("{} ({}), {}: no window leads to it", card.name,
                             text_of(card.properties, "Host"), format_bytes(capacity_of(card))));
    });
}

void no_room(const Facts& facts, Answer& answer) {
    each(facts, Kind::memdev, answer, [&](const Objects& objects, const Object& card) {
        const auto windows = windows_of(objects, card);
        if (windows.empty()) return;
        std::uint64_t left = capacity_of(card);
        if (is_plain(text_of(card.properties, "Reason"))) return;
        for (const Object& region : of_kind(objects, Kind::region)) {
            if (!names(list_of(region.properties, "Memdevs"), card.path)) continue;
            const std::uint64_t ways =
                std::max<std::uint64_t>(number_of(region.properties, "InterleaveWays"), 1);
            left -= std::min(left, number_of(region.properties, "Size") / ways);
        }
        std::uint64_t most = 0;
        for (const Object* window : windows) {
            if (number_of(window->properties, "Size") == 0) {
                answer.unknown.push_back(window->name + ": the kernel does not say how large it is");
                return;
            }
            most = std::max(most, number_of(window->properties, "Free"));
        }
        if (left <= most) return;
        add_seen(answer, card.name,
                 fmt::format("{}: {} of it are in no region, and the windows that lead to it have {} free",
                             card.name, format_bytes(left), format_bytes(most)));
    });
}

void node_none(const Facts& facts, Answer& answer) {
    each(facts, Kind::dax, answer, [&](const Objects&, const Object& dax) {
        if (signed_of(dax.properties, "TargetNode") < 0)
            add_seen(answer, dax.name, fmt::format("{}: target node -1", dax.name));
    });
}

void dram_node(const Facts& facts, Answer& answer) {
    each(facts, Kind::dax, answer, [&](const Objects& objects, const Object& dax) {
        const Object* node = find_path(objects, text_of(dax.properties, "Node"));
        if (node != nullptr && flag_of(node->properties, "HasCpu"))
            add_seen(answer, dax.name, fmt::format("{}: its memory is on {}", dax.name, node->name));
    });
}

// What is known of a node shows only with memory of it online.
void coordinates(const Facts& facts, Answer& answer) {
    each(facts, Kind::node, answer, [&](const Objects& objects, const Object& node) {
        const bool matters = std::any_of(objects.begin(), objects.end(),
                                         [](const Object& each) { return each.kind == Kind::dax; });
        if (!matters || number_of(node.properties, "BytesOnline") == 0) return;
        std::vector<std::string> missing;
        for (const char* key : {"ReadLatency", "WriteLatency", "ReadBandwidth", "WriteBandwidth"}) {
            if (number_of(node.properties, key) == 0) missing.emplace_back(key);
        }
        if (!missing.empty())
            add_seen(answer, node.name, fmt::format("{}: unknown: {}", node.name, fmt::join(missing, ", ")));
    });
}

void serials(const Facts& facts, Answer& answer) {
    std::map<std::uint64_t, std::vector<std::string>> by_serial;
    each(facts, Kind::memdev, answer, [&](const Objects&, const Object& card) {
        by_serial[number_of(card.properties, "Serial")].push_back(card.name);
    });
    for (const auto& [serial, cards] : by_serial) {
        if (serial == 0 || cards.size() > 1)
            add_seen(answer, cards.front(),
                     fmt::format("{}: serial number {:#x}", fmt::join(cards, ", "), serial));
    }
}

void stranded(const Facts& facts, Answer& answer) {
    each(facts, Kind::dax, answer, [&](const Objects&, const Object& dax) {
        const std::uint64_t lost = number_of(dax.properties, "BytesStranded");
        if (lost > 0)
            add_seen(answer, dax.name,
                     fmt::format("{}: {} of {} lie beside block boundaries", dax.name, format_bytes(lost),
                                 format_bytes(number_of(dax.properties, "Size"))));
    });
}

// The word of a message that is called like one of the objects.
void name_subject(const Facts& facts, Answer& answer) {
    if (!facts.daemon || answer.seen.empty()) return;
    for (const Object& object : facts.daemon->objects) {
        const std::size_t at = answer.seen.front().find(object.name);
        if (at == std::string::npos || (object.kind != Kind::memdev && object.kind != Kind::node)) continue;
        const std::size_t end = at + object.name.size();
        if (end < answer.seen.front().size() && answer.seen.front()[end] >= '0' &&
            answer.seen.front()[end] <= '9')
            continue;
        answer.subject = object.name;
        return;
    }
}

void tier(const Facts& facts, Answer& answer) {
    add_conflicts(facts, "tier", answer);
    // "node 1 is in tier 4, …"
    if (answer.seen.empty()) return;
    const std::string& message = answer.seen.front();
    const std::size_t digits = message.find_first_of("0123456789");
    if (digits == std::string::npos) return;
    answer.subject =
        "node" + message.substr(digits, message.find_first_not_of("0123456789", digits) - digits);
}

void removal(const Facts& facts, Answer& answer) {
    add_conflicts(facts, "removal", answer);
    name_subject(facts, answer);
}

void others(const Facts& facts, Answer& answer) {
    static const std::set<std::string> known = {
        "auto-online", "competitor", "work-per-block", "movable-ratio", "tier",       "dram-node",
        "leaked",      "tuning",     "region",         "removal",       "unreadable", "worker"};
    const DaemonFacts* daemon = daemon_of(facts, answer);
    if (daemon == nullptr) return;
    for (const json& each : list_of(daemon->manager, "Conflicts")) {
        const std::string kind = text_of(each, "kind");
        if (!known.contains(kind)) add_seen(answer, "", kind + ": " + text_of(each, "message"));
    }
}

constexpr std::array all_hardware_checks = {
    Check{"card-without-region", without_region},
    Check{"card-plain-ram", plain_ram},
    Check{"card-not-managed", not_managed},
    Check{"slot-without-window", without_window},
    Check{"window-no-room", no_room},
    Check{"node-none", node_none},
    Check{"dram-node", dram_node},
    Check{"coordinates-missing", coordinates},
    Check{"serial-shared", serials},
    Check{"stranded", stranded},
    Check{"tier", tier},
    Check{"movable-ratio",
          [](const Facts& facts, Answer& answer) { add_conflicts(facts, "movable-ratio", answer); }},
    Check{"leaked", [](const Facts& facts, Answer& answer) { add_conflicts(facts, "leaked", answer); }},
    Check{"region-trouble",
          [](const Facts& facts, Answer& answer) { add_conflicts(facts, "region", answer); }},
    Check{"tuning", [](const Facts& facts, Answer& answer) { add_conflicts(facts, "tuning", answer); }},
    Check{"removal", removal},
    Check{"unreadable",
          [](const Facts& facts, Answer& answer) { add_conflicts(facts, "unreadable", answer); }},
    Check{"worker", [](const Facts& facts, Answer& answer) { add_conflicts(facts, "worker", answer); }},
    Check{"other-conflict", others},
};

}  // namespace

std::span<const Check> hardware_checks() {
    return all_hardware_checks;
}

}  // namespace cxlmemctl
