// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/match_words.h"

#include <fmt/format.h>

#include <functional>

#include "policy/match_keys.h"

namespace cxlmemd {

namespace {

std::string text(DaxKind kind) {
    return std::string{to_string(kind)};
}
std::string text(std::uint64_t serial) {
    return fmt::format("{:#x}", serial);
}
std::string text(int number) {
    return fmt::format("{}", number);
}
std::string text(NodeId node) {
    return text(node.value());
}
std::string text(Backing backing) {
    return backing == Backing::cxl ? "cxl" : "covered by no CXL window";
}
std::string text(const Glob& glob) {
    return glob.pattern;
}
std::string text(const std::string& word) {
    return word;
}
std::string text(std::string_view name) {
    return std::string{name};
}
std::string text(const std::pair<PhysAddr, PhysAddr>& range) {
    return fmt::format("{:#x}-{:#x}", range.first.value(), range.second.value());
}
std::string text(const PhysRange& range) {
    return fmt::format("{:#x}-{:#x}", range.start.value(), range.end().value() - 1);
}

std::string_view sign(Comparison op) {
    switch (op) {
        case Comparison::equal: return "";
        case Comparison::less: return "< ";
        case Comparison::less_equal: return "<= ";
        case Comparison::greater: return "> ";
        case Comparison::greater_equal: return ">= ";
    }
    return "";
}

std::string with_unit(std::uint64_t number, Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return format_size(Bytes{number});
        case Quantity::ways: return fmt::format("{}", number);
        case Quantity::latency: return fmt::format("{}ns", number);
        case Quantity::bandwidth: return fmt::format("{}MB/s", number);
    }
    return {};
}

template <class Items, class Text>
std::string joined(const Items& items, std::string_view separator, std::size_t most, Text text_of) {
    std::string out;
    std::size_t count = 0;
    for (const auto& item : items) {
        if (count == most) return fmt::format("{}{}{} more", out, separator, items.size() - most);
        if (count++ != 0) out += separator;
        out += text_of(item);
    }
    return out;
}

// An entry, or a fact.
template <keys::Of of, class Fact>
std::string text(const keys::NumberKey<of, Fact>& row, const Compare& entry) {
    return fmt::format("{}{}", sign(entry.op), with_unit(entry.number, row.quantity));
}
template <keys::Of of, class Fact>
std::string text(const keys::NumberKey<of, Fact>& row, std::uint64_t fact) {
    return with_unit(fact, row.quantity);
}
template <class Row, class Item>
std::string text(const Row&, const Item& item) {
    return text(item);
}

template <class Row, class Fact>
std::string fact_text(const Row& row, const Facts&, const std::optional<Fact>& fact) {
    return fact ? text(row, *fact) : std::string{row.absent};
}
template <class Row>
std::string fact_text(const Row& row, const Facts&, const keys::Either& fact) {
    return std::string{fact.first.empty() ? row.absent : fact.first};
}
template <class Row, class Fact>
std::string fact_text(const Row& row, const Facts& facts, const std::vector<Fact>& list) {
    const auto words = [&](const auto& item) { return text(row, item); };
    if (!list.empty()) return joined(list, ", ", SIZE_MAX, words);
    // Of an hmem device only the addresses tell.
    if (Row::of == keys::Of::cards && facts.candidates.size() >= 2) {
        return fmt::format("not known: it may be on any of {}; phys_range tells such memory apart",
                           joined(facts.candidates, ", ", SIZE_MAX, [](std::string_view n) { return n; }));
    }
    return std::string{row.absent};
}

// Of the row of that key.
template <class Words>
std::string of_row(MatchKey wanted_key, Words words) {
    std::string out;
    keys::any([&](const auto& row, MatchKey key) {
        if (key == wanted_key) out = words(row);
        return key == wanted_key;
    });
    return out;
}

}  // namespace

std::string wanted(MatchKey key, const Match& match, std::size_t most) {
    return of_row(key, [&](const auto& row) {
        return joined(match.*row.entries, " or ", most, [&](const auto& entry) { return text(row, entry); });
    });
}

std::string seen(MatchKey key, const Facts& facts) {
    return of_row(key, [&](const auto& row) { return fact_text(row, facts, std::invoke(row.fact, facts)); });
}

}  // namespace cxlmemd
