// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/file_table.h"

#include <fmt/format.h>

#include "backends/emulator/values.h"

namespace cxlmemd::emulator {

namespace {

constexpr int highest_node = 1023;
constexpr int highest_tier = 0xffff;

}  // namespace

const toml::node* FileTable::find(std::string_view key) {
    asked_.emplace(key);
    return table_.get(key);
}

std::string FileTable::name(std::string_view key) const {
    return what_.empty() ? fmt::format("\"{}\"", key) : fmt::format("\"{}\" of {}", key, what_);
}

void FileTable::note(const toml::node& at, std::string message) {
    const toml::source_position& place = at.source().begin;
    problems_.push_back({file_, place.line, place.column, std::move(message)});
}

void FileTable::wrong(std::string_view key, const std::string& reason) {
    const toml::node* value = find(key);
    note(value == nullptr ? table_ : *value, fmt::format("{} {}", name(key), reason));
}

std::vector<std::pair<std::string_view, const toml::node*>> FileTable::rest() {
    std::vector<std::pair<std::string_view, const toml::node*>> out;
    for (const auto& [key, value] : table_) {
        if (asked_.emplace(key.str()).second) out.emplace_back(key.str(), &value);
    }
    return out;
}

void FileTable::finish() {
    for (const auto& [key, value] : table_) {
        if (asked_.contains(key.str())) continue;
        const toml::source_position& place = key.source().begin;
        problems_.push_back(
            {file_, place.line, place.column, fmt::format("there is no key {}", name(key.str()))});
    }
}

std::optional<std::uint64_t> FileTable::unsigned_value(const toml::node& node, bool with_unit) const {
    if (const auto* integer = node.as_integer(); integer != nullptr) {
        if (integer->get() < 0) return std::nullopt;
        return static_cast<std::uint64_t>(integer->get());
    }
    if (const auto* text = node.as_string(); text != nullptr) {
        return with_unit ? parse_size(text->get()) : parse_number(text->get());
    }
    return std::nullopt;
}

std::optional<std::string> FileTable::text(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* text = value->as_string();
    if (text == nullptr || text->get().empty() || text->get().size() > max_text_bytes) {
        wrong(key, fmt::format("must be a string of 1 to {} bytes", max_text_bytes));
        return std::nullopt;
    }
    return text->get();
}

std::optional<std::string> FileTable::device_name(std::string_view key) {
    auto written = text(key);
    if (!written || is_device_name(*written)) return written;
    wrong(key, "must be a device name: 1 to 255 letters, digits and ._:@+-, with a letter or digit first");
    return std::nullopt;
}

std::optional<bool> FileTable::truth(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* truth = value->as_boolean();
    if (truth == nullptr) {
        wrong(key, "must be true or false");
        return std::nullopt;
    }
    return truth->get();
}

std::optional<std::uint64_t> FileTable::number(std::string_view key, std::uint64_t most) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto number = unsigned_value(*value, false);
    if (!number || *number > most) {
        wrong(key, fmt::format("must be a number from 0 to {}, or a string with one", most));
        return std::nullopt;
    }
    return number;
}

std::optional<std::uint64_t> FileTable::size(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto size = unsigned_value(*value, true);
    if (!size || *size > max_address) {
        wrong(key, fmt::format("must be a number of bytes up to {:#x}, or a string such as \"4GiB\"",
                               max_address));
        return std::nullopt;
    }
    return size;
}

std::optional<int> FileTable::tier(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* integer = value->as_integer();
    if (integer == nullptr || integer->get() < -1 || integer->get() > highest_tier) {
        wrong(key, fmt::format("must be a tier from 0 to {}, or -1 for none", highest_tier));
        return std::nullopt;
    }
    return static_cast<int>(integer->get());
}

std::optional<std::string> FileTable::long_text(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* text = value->as_string(); text != nullptr) return text->get();
    wrong(key, "must be a string");
    return std::nullopt;
}

std::optional<NodeId> FileTable::node(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* integer = value->as_integer();
    if (integer == nullptr || integer->get() < -1 || integer->get() > highest_node) {
        wrong(key, fmt::format("must be a node from -1 to {}", highest_node));
        return std::nullopt;
    }
    return NodeId{static_cast<int>(integer->get())};
}

std::vector<std::string> FileTable::texts(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return {};
    const auto* array = value->as_array();
    std::vector<std::string> out;
    if (array == nullptr || array->size() > max_ranges) {
        wrong(key, fmt::format("must be a list of up to {} strings", max_ranges));
        return out;
    }
    for (const toml::node& element : *array) {
        const auto* text = element.as_string();
        if (text == nullptr || text->get().size() > max_text_bytes) {
            note(element, fmt::format("{} must be a list of strings", name(key)));
            continue;
        }
        out.push_back(text->get());
    }
    return out;
}

std::vector<FileTable> FileTable::tables(std::string_view key, std::size_t most) {
    const toml::node* value = find(key);
    std::vector<FileTable> out;
    if (value == nullptr) return out;
    const auto* array = value->as_array();
    if (array == nullptr || array->size() > most) {
        wrong(key, fmt::format("must be a list of up to {} tables", most));
        return out;
    }
    for (const toml::node& element : *array) {
        if (const auto* table = element.as_table(); table != nullptr) {
            out.emplace_back(*table, fmt::format("[[{}]]", key), file_, problems_);
        } else {
            note(element, fmt::format("{} must be a list of tables", name(key)));
        }
    }
    return out;
}

std::optional<FileTable> FileTable::table(std::string_view key) {
    const toml::node* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* table = value->as_table();
    if (table == nullptr) {
        wrong(key, "must be a table");
        return std::nullopt;
    }
    return FileTable{*table, fmt::format("[{}]", key), file_, problems_};
}

}  // namespace cxlmemd::emulator
