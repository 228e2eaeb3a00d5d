// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/suggest.h"
#include "policy/text.h"

namespace cxlmemd {

Fields::Fields(Report& report, const schema::TableSchema& schema, const syntax::Table& table,
               syntax::Position at)
    : report_(report), table_(table), at_(at) {
    for (const syntax::Entry& entry : table.entries) {
        const bool known = std::ranges::find(schema.keys, entry.key) != schema.keys.end();
        if (!known) report.error(entry.at, report.full() ? "" : schema::unknown_key(schema, entry.key));
    }
}

const syntax::Entry* Fields::find(std::string_view key) const {
    const auto it = std::ranges::find(table_.entries, key, &syntax::Entry::key);
    return it == table_.entries.end() ? nullptr : &*it;
}

std::optional<Fields> Fields::table(std::string_view key, const schema::TableSchema& schema) const {
    const syntax::Entry* entry = find(key);
    if (entry == nullptr) return std::nullopt;
    if (const auto* table = entry->value.as<syntax::Table>()) {
        return Fields{report_, schema, *table, entry->value.at};
    }
    if (entry->value.as<syntax::Refused>() != nullptr) {
        report_.already_said();
        return std::nullopt;
    }
    const bool is_array_of_tables = entry->value.as<syntax::List>() != nullptr;
    report_.error(entry->value.at,
                  fmt::format("{} takes one table, not {}{}", key, syntax::type_name(entry->value),
                              is_array_of_tables ? "; write one pair of brackets around its name" : ""));
    return std::nullopt;
}

std::string Fields::empty_list(std::string_view key) {
    return fmt::format("an empty list fits nothing; leave {} out to allow any", key);
}

std::string wrong_type(std::string_view key, std::string_view takes, const syntax::Value& value) {
    return fmt::format("{} takes {}, not {}", key, takes, syntax::type_name(value));
}

Parsed<bool> boolean(std::string_view key, const syntax::Value& value) {
    if (const auto* b = value.as<bool>()) return *b;
    return tl::unexpected{wrong_type(key, "true or false without quotes", value)};
}

Parsed<std::int64_t> integer_between(std::string_view key, std::int64_t low, std::int64_t high,
                                     const syntax::Value& value) {
    const auto* i = value.as<std::int64_t>();
    if (i == nullptr) {
        return tl::unexpected{wrong_type(key, fmt::format("an integer from {} to {}", low, high), value)};
    }
    if (*i < low || *i > high) {
        return tl::unexpected{fmt::format("{} is out of range: {} takes {} to {}", *i, key, low, high)};
    }
    return *i;
}

Parsed<std::string> name_text(std::string_view key, const syntax::Value& value) {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return tl::unexpected{wrong_type(key, "a string", value)};
    if (text->empty()) return tl::unexpected{fmt::format("{} is empty", key)};
    if (text->size() > max_name_bytes) {
        return tl::unexpected{
            fmt::format("this {} is {} bytes long; {} is the limit", key, text->size(), max_name_bytes)};
    }
    if (has_control_character(*text)) {
        return tl::unexpected{
            fmt::format("{} has a control character in it, which {} must not", in_quotes(*text), key)};
    }
    return *text;
}

std::string no_such_word(std::string_view key, std::string_view word,
                         std::span<const std::string_view> words) {
    const bool vowel = std::string_view{"aeiou"}.find(key.front()) != std::string_view::npos;
    return fmt::format("{} is not {} {}: {}", in_quotes(word), vowel ? "an" : "a", key, one_of(words));
}

std::string words_in_quotes(std::span<const std::string_view> words) {
    std::vector<std::string> owned;
    for (const std::string_view word : words) owned.push_back("\"" + std::string{word} + "\"");
    const std::vector<std::string_view> views(owned.begin(), owned.end());
    return one_of(views);
}

}  // namespace cxlmemd
