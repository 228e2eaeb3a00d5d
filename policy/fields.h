// SPDX-License-Identifier: LGPL-2.1-or-later
// One table of a file, checked against its schema, and its values taken out one key at a time.
//
// Every read function reports what is wrong at its place and leaves its target alone then; the caller
// goes on with the next key.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/report.h"
#include "policy/schema.h"
#include "policy/syntax.h"
#include "policy/values.h"

namespace cxlmemd {

// A word of the language and what it stands for.
template <class T>
struct Word {
    std::string_view text;
    T meaning;
};

class Fields final {
 public:
    // Reports every key that is not in the schema. `at` is the table's own place. The table must
    // outlive this object.
    Fields(Report& report, const schema::TableSchema& schema, const syntax::Table& table,
           syntax::Position at);

    // Null if the key was not written.
    [[nodiscard]] const syntax::Entry* find(std::string_view key) const;
    [[nodiscard]] Report& report() const { return report_; }
    [[nodiscard]] syntax::Position at() const { return at_; }
    [[nodiscard]] bool empty() const { return table_.entries.empty(); }

    // The table that stands under the key; nullopt if there is none or it is no table.
    [[nodiscard]] std::optional<Fields> table(std::string_view key, const schema::TableSchema& schema) const;

    // Parse is a function from syntax::Value to Parsed<T>. True if the key was written and is right.
    template <class T, class Parse>
    bool read(std::string_view key, T& out, Parse parse) const {
        const syntax::Entry* entry = find(key);
        return entry != nullptr && read_value(entry->value, parse, [&out](auto v) { out = std::move(v); });
    }

    // The same for keys that take one value or a list of them.
    template <class T, class Parse>
    void read_list(std::string_view key, std::vector<T>& out, Parse parse) const {
        const syntax::Entry* entry = find(key);
        if (entry == nullptr) return;
        const auto keep = [&out](T v) { out.push_back(std::move(v)); };
        const auto* list = entry->value.as<syntax::List>();
        if (list == nullptr) {
            read_value(entry->value, parse, keep);
            return;
        }
        if (list->empty()) report_.error(entry->value.at, empty_list(key));
        for (const syntax::Value& value : *list) read_value(value, parse, keep);
    }

 private:
    template <class Parse, class Keep>
    bool read_value(const syntax::Value& value, Parse parse, Keep keep) const {
        if (value.as<syntax::Refused>() != nullptr) {
            report_.already_said();
            return false;
        }
        auto parsed = parse(value);
        if (!parsed) {
            report_.error(value.at, std::move(parsed.error()));
            return false;
        }
        keep(std::move(*parsed));
        return true;
    }

    static std::string empty_list(std::string_view key);

    Report& report_;
    const syntax::Table& table_;
    syntax::Position at_;
};

// "zone takes movable, kernel or auto in quotes, not an integer"
[[nodiscard]] std::string wrong_type(std::string_view key, std::string_view takes,
                                     const syntax::Value& value);

// Parsers of whole values, for Fields::read. `key` is for messages and must outlive the parser.
[[nodiscard]] Parsed<bool> boolean(std::string_view key, const syntax::Value& value);
[[nodiscard]] Parsed<std::int64_t> integer_between(std::string_view key, std::int64_t low, std::int64_t high,
                                                   const syntax::Value& value);
// A string that is not empty, has no control character and at most max_name_bytes.
[[nodiscard]] Parsed<std::string> name_text(std::string_view key, const syntax::Value& value);

// For keys that take text in quotes only, which `parse` (from string_view) reads.
template <class Parse>
[[nodiscard]] auto from_text(std::string_view key, std::string_view takes, Parse parse) {
    return [key, takes, parse](const syntax::Value& value) -> decltype(parse(std::string_view{})) {
        const auto* text = value.as<std::string>();
        if (text == nullptr) return tl::unexpected{wrong_type(key, takes, value)};
        return parse(*text);
    };
}

[[nodiscard]] std::string no_such_word(std::string_view key, std::string_view word,
                                       std::span<const std::string_view> words);
[[nodiscard]] std::string words_in_quotes(std::span<const std::string_view> words);

// For keys that take one of a few words.
template <class T>
[[nodiscard]] auto one_word(std::string_view key, std::span<const Word<T>> words) {
    return [key, words](const syntax::Value& value) -> Parsed<T> {
        std::vector<std::string_view> texts;
        for (const Word<T>& word : words) texts.push_back(word.text);
        const auto* text = value.as<std::string>();
        if (text == nullptr) return tl::unexpected{wrong_type(key, words_in_quotes(texts), value)};
        for (const Word<T>& word : words) {
            if (word.text == *text) return word.meaning;
        }
        return tl::unexpected{no_such_word(key, *text, texts)};
    };
}

}  // namespace cxlmemd
