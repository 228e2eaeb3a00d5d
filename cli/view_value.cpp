// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/table.h"
#include "cli/units.h"
#include "cli/views.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

template <std::size_t N>
bool among(const std::array<std::string_view, N>& list, std::string_view key) {
    return std::find(list.begin(), list.end(), key) != list.end();
}

bool is_bytes(std::string_view key) {
    constexpr std::array<std::string_view, 7> exact = {
        "Size", "RamSize", "PmemSize", "Align", "BlockSize", "InterleaveGranularity", "bytes"};
    return among(exact, key) || key.starts_with("Bytes");
}

bool is_hex(std::string_view key) {
    constexpr std::array<std::string_view, 2> exact = {"Resource", "Serial"};
    return among(exact, key);
}

std::string joined(const json& list, std::string_view separator) {
    std::string out;
    for (const json& element : list) {
        if (!out.empty()) out += separator;
        out += value_view("", element);
    }
    return out;
}

std::string number_view(const std::string& key, const json& value) {
    const std::uint64_t number = value.get<std::uint64_t>();
    if (key == "Resource" && number == 0) return "not shown";
    if (is_hex(key)) return format_hex(number);
    if (is_bytes(key)) {
        return number < 1024 ? format_bytes(number) : fmt::format("{} ({})", format_bytes(number), number);
    }
    if (key.ends_with("Latency")) return number == 0 ? "unknown" : fmt::format("{} ns", number);
    if (key.ends_with("Bandwidth")) return number == 0 ? "unknown" : fmt::format("{} MB/s", number);
    if (key == "InterleaveWeight" && number == 0) return "unknown";
    return fmt::format("{}", number);
}

std::string ranges_view(const json& ranges) {
    std::string out;
    for (const json& range : ranges) {
        const std::uint64_t start = number_of(range, "start");
        const std::uint64_t length = number_of(range, "length");
        if (!out.empty()) out += ", ";
        out += fmt::format("{:#x}-{:#x} ({})", start, start + length - (length == 0 ? 0 : 1),
                           format_bytes(length));
    }
    return out;
}

}  // namespace

std::string value_view(const std::string& key, const json& value) {
    if (value.is_null()) return "-";
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (text.empty()) return "-";
        return escape(text.starts_with('/') ? name_of_path(text) : text);
    }
    if (value.is_number_unsigned()) return number_view(key, value);
    if (value.is_number_integer()) {
        const auto number = value.get<std::int64_t>();
        return number < 0 ? "none" : fmt::format("{}", number);
    }
    if (value.is_number_float()) return fmt::format("{:.2f}", value.get<double>());
    if (key == "Ranges") return value.empty() ? "-" : ranges_view(value);
    if (value.empty()) return "-";
    if (value.is_object() && value.contains("name") && value.contains("message")) {
        const std::string name = text_of(value, "name");
        return name.empty() ? "-" : escape(name + ": " + text_of(value, "message"));
    }
    if (value.is_array()) return joined(value, ", ");
    return escape(value.dump(-1, ' ', true, json::error_handler_t::replace));
}

std::string show_view(const Object& object, const Paint& paint) {
    std::string out = paint(Colour::bold, escape(object.name));
    out += fmt::format("  {}  {}\n", readable(object.kind), escape(object.path));
    Table table({{""}, {"", Align::right}, {""}});
    for (const auto& [key, value] : object.properties.items()) {
        if (key == "Name") continue;
        const std::string text = value_view(key, value);
        const Colour colour = value.is_string() ? colour_of(text) : Colour::none;
        table.add({" ", escape(key), paint(colour, text)});
    }
    return out + table.text(false, paint.columns());
}

}  // namespace cxlmemctl
