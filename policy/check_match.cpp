// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/check_match.h"

#include <fmt/format.h>

#include <array>

#include "policy/host_match.h"
#include "policy/interval.h"
#include "policy/match_keys.h"
#include "policy/spelling.h"
#include "policy/text.h"
#include "policy/uuid.h"

namespace cxlmemd {

namespace {

constexpr std::array kinds{Word<DaxKind>{"cxl-ram", DaxKind::cxl_ram},
                           Word<DaxKind>{"cxl-pmem", DaxKind::cxl_pmem}, Word<DaxKind>{"hmem", DaxKind::hmem},
                           Word<DaxKind>{"pmem", DaxKind::pmem}};

constexpr std::int64_t max_node = 1023;
constexpr std::int64_t max_qos_class = 65535;  // 16 bits in the CFMWS structure

std::string_view comparison_example(Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return R"(a comparison such as ">= 16GiB", or bytes)";
        case Quantity::latency: return R"(a comparison such as "<= 400ns", or nanoseconds)";
        case Quantity::bandwidth: return R"(a comparison such as ">= 16GB/s", or MB/s)";
        case Quantity::ways: return R"(a comparison such as ">= 2", or a number)";
    }
    return "a comparison";
}

// A list means any of: [">= 16GiB", "< 1TiB"] holds for every size, which nobody wants to say.
void warn_if_always_true(const Fields& fields, std::string_view key, const std::vector<Compare>& list,
                         Quantity quantity) {
    if (list.size() < 2) return;
    std::vector<Interval> intervals;
    for (const Compare& compare : list) {
        if (const auto interval = interval_of(compare, quantity)) intervals.push_back(*interval);
    }
    if (covers(merged(std::move(intervals)), possible(quantity))) {
        fields.report().warning(fields.find(key)->value.at,
                                fmt::format("this list holds for every {}: a list means any of, not all of",
                                            to_string(quantity)));
    }
}

constexpr std::array backings{Word<Backing>{"cxl", Backing::cxl}};

template <keys::Of of, class Fact>
void read(const Fields& fields, const keys::PatternKey<of, Fact>& row, Match& out) {
    fields.read_list(row.name, out.*row.entries, from_text(row.name, row.takes, parse_glob));
}

template <keys::Of of, class Fact>
void read(const Fields& fields, const keys::NumberKey<of, Fact>& row, Match& out) {
    fields.read_list(row.name, out.*row.entries, [&](const syntax::Value& value) -> Parsed<Compare> {
        if (const auto* number = value.as<std::int64_t>()) return compare_equal(*number, row.quantity);
        if (const auto* text = value.as<std::string>()) return parse_compare(*text, row.quantity);
        return tl::unexpected{wrong_type(row.name, comparison_example(row.quantity), value)};
    });
    warn_if_always_true(fields, row.name, out.*row.entries, row.quantity);
}

template <keys::Of of, class Fact>
void read(const Fields& fields, const keys::RangeKey<of, Fact>& row, Match& out) {
    fields.read_list(row.name, out.*row.entries,
                     from_text(row.name, R"(a string such as "0x590000000-0x98fffffff")", parse_phys_range));
}

// A row that says itself how a value is read.
template <class Row>
void read(const Fields& fields, const Row& row, Match& out) {
    fields.read_list(row.name, out.*row.entries,
                     [&](const syntax::Value& value) { return row.read(row.name, value); });
}

// Each text of the key, with its place.
template <class Visit>
void visit_texts(const Fields& fields, std::string_view key, Visit visit) {
    const syntax::Entry* entry = fields.find(key);
    if (entry == nullptr) return;
    const auto each = [&](const syntax::Value& value) {
        if (const auto* text = value.as<std::string>()) visit(value.at, *text);
    };
    if (const auto* list = entry->value.as<syntax::List>()) {
        for (const syntax::Value& value : *list) each(value);
    } else {
        each(entry->value);
    }
}

// Of sizes that nothing is as small as: a unit was forgotten.
void warn_of_small_sizes(const Fields& fields, std::string_view key) {
    const auto warn = [&](const syntax::Value& value) {
        std::optional<std::uint64_t> bytes;
        if (const auto* number = value.as<std::int64_t>()) {
            if (*number > 0) bytes = static_cast<std::uint64_t>(*number);
        } else if (const auto* text = value.as<std::string>()) {
            const auto compare = parse_compare(*text, Quantity::size);
            if (compare && compare->number != 0) bytes = compare->number;
        }
        // What no device, region or block of the kernel's is smaller than.
        constexpr std::uint64_t smallest = 1ULL << 20;
        if (!bytes || *bytes >= smallest) return;
        fields.report().warning(value.at,
                                fmt::format("{} of {} bytes is smaller than any memory: without a unit it "
                                            "is bytes; for GiB write \"{}GiB\"",
                                            key, *bytes, *bytes));
    };
    const syntax::Entry* entry = fields.find(key);
    if (entry == nullptr) return;
    if (const auto* list = entry->value.as<syntax::List>()) {
        for (const syntax::Value& value : *list) warn(value);
    } else {
        warn(entry->value);
    }
}

template <keys::Of of, class Fact>
void warn(const Fields& fields, const keys::PatternKey<of, Fact>& row) {
    if (!row.noun) return;
    visit_texts(fields, row.name, [&](syntax::Position at, const std::string& text) {
        if (auto warning = never_fits(*row.noun, text)) fields.report().warning(at, std::move(*warning));
    });
}

template <keys::Of of, class Fact>
void warn(const Fields& fields, const keys::NumberKey<of, Fact>& row) {
    if (row.quantity == Quantity::size) warn_of_small_sizes(fields, row.name);
}

template <class Row>
void warn(const Fields&, const Row&) {}

}  // namespace

std::span<const Word<DaxKind>> kind_words() {
    return kinds;
}

Parsed<NodeId> node_id(std::string_view key, const syntax::Value& value) {
    return integer_between(key, 0, max_node, value).map([](std::int64_t n) {
        return NodeId{static_cast<int>(n)};
    });
}

Parsed<std::uint64_t> serial(std::string_view key, const syntax::Value& value) {
    if (const auto* number = value.as<std::int64_t>()) {
        if (*number >= 0) return static_cast<std::uint64_t>(*number);
        return tl::unexpected{fmt::format(
            "{} is not a serial number: it cannot be negative; write a large one as a string, \"{:#x}\"",
            *number, static_cast<std::uint64_t>(*number))};
    }
    if (const auto* text = value.as<std::string>()) return parse_serial(*text);
    return tl::unexpected{wrong_type(key, "a number, or a string in decimal or 0x hex", value)};
}

Parsed<DaxKind> dax_kind(std::string_view key, const syntax::Value& value) {
    return one_word(key, kind_words())(value);
}

Parsed<int> qos_class(std::string_view key, const syntax::Value& value) {
    return integer_between(key, 0, max_qos_class, value).map([](std::int64_t n) {
        return static_cast<int>(n);
    });
}

Parsed<std::string> nvdimm_uuid(std::string_view key, const syntax::Value& value) {
    constexpr std::string_view takes = R"(a UUID such as "48d8e42c-a2f0-4312-9e70-a837faafe862")";
    const auto parse = [&](std::string_view text) -> Parsed<std::string> {
        if (auto uuid = uuid_from(text)) return *std::move(uuid);
        return tl::unexpected{fmt::format("'{}' is not {}", text, takes)};
    };
    return from_text(key, takes, parse)(value);
}

Parsed<std::string> virtualization(std::string_view key, const syntax::Value& value) {
    if (const auto* truth = value.as<bool>()) return *truth ? "yes" : "no";
    if (const auto* text = value.as<std::string>()) return parse_virtualization(*text);
    return tl::unexpected{wrong_type(key, R"(a word such as "vm" or "none", or a boolean)", value)};
}

Parsed<std::string> kernel_version(std::string_view key, const syntax::Value& value) {
    return from_text(key, R"(a comparison such as ">= 6.12")", parse_kernel_version)(value);
}

Parsed<Backing> backing(std::string_view key, const syntax::Value& value) {
    return one_word(key, std::span<const Word<Backing>>{backings})(value);
}

Match check_match(const Fields& fields) {
    Match out;
    keys::each([&](const auto& row, MatchKey) { read(fields, row, out); });
    keys::each([&](const auto& row, MatchKey) { warn(fields, row); });
    return out;
}

}  // namespace cxlmemd
