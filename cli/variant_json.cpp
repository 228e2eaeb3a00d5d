// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/variant_json.h"

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace cxlmemctl {
namespace {

using nlohmann::json;
using Dictionary = std::map<std::string, sdbus::Variant>;

json convert(bool value) {
    return value;
}
json convert(std::uint8_t value) {
    return value;
}
json convert(std::int16_t value) {
    return value;
}
json convert(std::uint16_t value) {
    return value;
}
json convert(std::int32_t value) {
    return value;
}
json convert(std::uint32_t value) {
    return value;
}
json convert(std::int64_t value) {
    return value;
}
json convert(std::uint64_t value) {
    return value;
}
json convert(double value) {
    return value;
}
json convert(const std::string& value) {
    return value;
}
json convert(const sdbus::ObjectPath& value) {
    return static_cast<const std::string&>(value);
}
json convert(const sdbus::Signature& value) {
    return static_cast<const std::string&>(value);
}
json convert(const sdbus::Variant& value) {
    return to_json(value);
}
json convert(const std::map<std::string, std::string>& value) {
    return value;
}
json convert(const Dictionary& value) {
    return dictionary_to_json(value);
}

template <class... T>
json convert(const sdbus::Struct<T...>& value) {
    return std::apply([](const T&... element) { return json::array({convert(element)...}); },
                      static_cast<const std::tuple<T...>&>(value));
}

template <class T>
json convert(const std::vector<T>& values) {
    json out = json::array();
    for (const auto& value : values) out.push_back(convert(static_cast<T>(value)));
    return out;
}

// The first of the types that the variant holds decides.
template <class... T>
json convert_as_one_of(const sdbus::Variant& variant) {
    json out;
    const bool known = ((variant.containsValueOfType<T>() && (out = convert(variant.get<T>()), true)) || ...);
    if (!known) out = "<signature " + std::string(variant.peekValueType()) + ">";
    return out;
}

using Text = std::string;
using Number = std::uint32_t;
using Wide = std::uint64_t;

struct Fields {
    std::string_view key;
    bool list;  // the value is a list of such structs
    std::vector<std::string_view> names;
};

const std::array<Fields, 8> field_names = {{
    {"PolicyProblems", true, {"file", "line", "column", "severity", "message"}},
    {"PolicyProblemsInForce", true, {"file", "line", "column", "severity", "message"}},
    {"Conflicts", true, {"kind", "message"}},
    {"Statistics", true, {"name", "labels", "value"}},
    {"Ranges", true, {"start", "length"}},
    {"LastError", false, {"name", "message"}},
    {"Error", false, {"name", "message"}},
    {"rejected", true, {"rule", "file", "line", "key", "want", "seen"}},
}};

json named(const json& tuple, const std::vector<std::string_view>& names) {
    if (!tuple.is_array() || tuple.size() != names.size()) return tuple;
    json out = json::object();
    for (std::size_t i = 0; i < names.size(); ++i) out[std::string(names[i])] = tuple[i];
    return out;
}

}  // namespace

json to_json(const sdbus::Variant& variant) {
    if (variant.isEmpty()) return nullptr;
    return convert_as_one_of<bool, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                             std::int64_t, std::uint64_t, double, Text, sdbus::ObjectPath, sdbus::Signature,
                             sdbus::Variant, std::vector<Text>, std::vector<sdbus::ObjectPath>,
                             std::vector<std::int32_t>, std::vector<Number>, std::vector<Wide>, Dictionary,
                             std::vector<Dictionary>, sdbus::Struct<Text, Text>,
                             std::vector<sdbus::Struct<Text, Text>>, std::vector<sdbus::Struct<Wide, Wide>>,
                             std::vector<sdbus::Struct<Text, std::map<Text, Text>, Wide>>,
                             std::vector<sdbus::Struct<Text, Number, Number, Text, Text>>,
                             std::vector<sdbus::Struct<Text, Text, Number, Text, Text, Text>>>(variant);
}

json with_field_names(const std::string& key, json value) {
    for (const Fields& fields : field_names) {
        if (fields.key != key) continue;
        if (!fields.list) return named(value, fields.names);
        if (!value.is_array()) return value;
        for (json& element : value) element = named(element, fields.names);
    }
    return value;
}

}  // namespace cxlmemctl
