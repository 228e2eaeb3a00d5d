// SPDX-License-Identifier: LGPL-2.1-or-later
// One table of a topology file, read key by key: every getter notes what is wrong with its value at
// the value's own place, and finish() notes the keys that nobody asked for.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/emulator/file.h"

namespace cxlmemd::emulator {

class FileTable final {
 public:
    // Both must outlive the reader. `what` is how problems name the table: "[[dax]]".
    FileTable(const toml::table& table, std::string what, const std::string& file,
              std::vector<FileProblem>& problems)
        : table_(table), what_(std::move(what)), file_(file), problems_(problems) {}

    [[nodiscard]] std::optional<std::string> text(std::string_view key);
    // A string that a device can be called by.
    [[nodiscard]] std::optional<std::string> device_name(std::string_view key);
    [[nodiscard]] std::optional<bool> truth(std::string_view key);
    // An integer from 0 to `most`, or a string with one ("0x1").
    [[nodiscard]] std::optional<std::uint64_t> number(
        std::string_view key, std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
    // The same, or a string with a unit ("4GiB"); at most max_address.
    [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key);
    // -1 to 1023
    [[nodiscard]] std::optional<NodeId> node(std::string_view key);
    // N of memory_tierN, or -1
    [[nodiscard]] std::optional<int> tier(std::string_view key);
    // A string as long as the file lets it be.
    [[nodiscard]] std::optional<std::string> long_text(std::string_view key);
    [[nodiscard]] std::vector<std::string> texts(std::string_view key);
    // The tables of an array of tables ([[key]] or key = [{...}]), at most `most`.
    [[nodiscard]] std::vector<FileTable> tables(std::string_view key, std::size_t most);
    // A table within; empty if there is none.
    [[nodiscard]] std::optional<FileTable> table(std::string_view key);
    // One of the words, through `parse`, which gives nullopt for others; `words` is for the message.
    template <class Parse>
    [[nodiscard]] auto word(std::string_view key, Parse parse, std::string_view words)
        -> decltype(parse(std::string_view{})) {
        const auto written = text(key);
        if (!written) return std::nullopt;
        const auto value = parse(std::string_view{*written});
        if (!value) wrong(key, "must be " + std::string{words});
        return value;
    }

    template <class T>
    [[nodiscard]] T needed(std::optional<T> value, std::string_view key) {
        if (!value && !table_.contains(key)) wrong(key, "is missing");
        return value.value_or(T{});
    }
    // What nobody asked for; now somebody has.
    [[nodiscard]] std::vector<std::pair<std::string_view, const toml::node*>> rest();
    [[nodiscard]] std::uint32_t line() const { return table_.source().begin.line; }
    [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
    [[nodiscard]] bool has_table(std::string_view key) const {
        const toml::node* value = table_.get(key);
        return value != nullptr && value->is_table();
    }

    // Notes "KEY REASON" at the key's value, or at the table if it is not there.
    void wrong(std::string_view key, const std::string& reason);
    void finish();

 private:
    [[nodiscard]] const toml::node* find(std::string_view key);
    [[nodiscard]] std::string name(std::string_view key) const;
    void note(const toml::node& at, std::string message);
    [[nodiscard]] std::optional<std::uint64_t> unsigned_value(const toml::node& node, bool with_unit) const;

    const toml::table& table_;
    std::string what_;
    const std::string& file_;
    std::vector<FileProblem>& problems_;
    std::set<std::string, std::less<>> asked_;
};

}  // namespace cxlmemd::emulator
