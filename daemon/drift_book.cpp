// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/drift_book.h"

#include <sstream>
#include <string_view>

#include "daemon/small_file.h"
#include "policy/holds.h"

namespace cxlmemd {

namespace {

constexpr std::string_view boot_prefix = "boot ";

std::string one_line(std::string text) {
    for (char& c : text) {
        if (c == '\n' || c == '\t') c = ' ';
    }
    return text;
}

std::string entry_of(const std::string& key, const Decision& decision) {
    const Goal& goal = *decision.goal;
    return key + "\t" + one_line(decision.rule) + "\t" + std::string{to_string(goal.mode)} + " " +
           std::string{to_string(goal.zone)} + " " + to_string(goal.amount);
}

}  // namespace

Result<> DriftBook::load() {
    entries_.clear();
    auto text = read_small_file(file_);
    if (!text) return fail(text.error());
    if (!text->has_value()) return {};
    std::istringstream lines{**text};
    std::string line;
    std::getline(lines, line);
    if (!boot_.empty() && line != std::string{boot_prefix} + boot_) return {};
    while (std::getline(lines, line)) {
        if (!line.empty()) entries_.insert(line);
    }
    return {};
}

bool DriftBook::contains(const Topology& topology, const DaxDevice& device, const Decision& decision) const {
    return !entries_.empty() && decision.goal &&
           entries_.contains(entry_of(hold_key(topology, device), decision));
}

Result<> DriftBook::add(const Topology& topology, const DaxDevice& device, const Decision& decision) {
    if (!entries_.insert(entry_of(hold_key(topology, device), decision)).second) return {};
    return save();
}

Result<> DriftBook::remove(const Topology& topology, const DaxDevice& device) {
    if (entries_.empty()) return {};
    const std::string start = hold_key(topology, device) + "\t";
    if (std::erase_if(entries_, [&](const std::string& entry) { return entry.starts_with(start); }) == 0)
        return {};
    return save();
}

Result<> DriftBook::save() const {
    std::string text = entries_.empty() ? std::string{} : std::string{boot_prefix} + boot_ + "\n";
    for (const std::string& entry : entries_) text += entry + "\n";
    return replace_small_file(file_, text);
}

}  // namespace cxlmemd
