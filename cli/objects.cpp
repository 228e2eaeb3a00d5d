// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/objects.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <tuple>

namespace cxlmemctl {
namespace {

using nlohmann::json;

struct KindWords {
    std::string_view path, list, readable, interface;
};
constexpr std::array<KindWords, 6> words = {{
    {"memdev", "memdevs", "CXL memory device", "org.cxlmemd1.Memdev"},
    {"region", "regions", "CXL region", "org.cxlmemd1.Region"},
    {"decoder", "decoders", "CXL root decoder", "org.cxlmemd1.RootDecoder"},
    {"dax", "dax", "dax device", "org.cxlmemd1.DaxDevice"},
    {"node", "nodes", "NUMA node", "org.cxlmemd1.Node"},
    {"job", "jobs", "job", "org.cxlmemd1.Job"},
}};

const KindWords& of(Kind kind) {
    return words.at(static_cast<std::size_t>(kind));
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

const json& value_of(const json& properties, const char* key) {
    static const json nothing;
    if (!properties.is_object()) return nothing;
    const auto found = properties.find(key);
    return found == properties.end() ? nothing : *found;
}

}  // namespace

std::string decode_label(std::string_view label) {
    std::string out;
    for (std::size_t i = 0; i < label.size(); ++i) {
        if (label[i] == '_' && i + 2 < label.size()) {
            const int high = hex_digit(label[i + 1]);
            const int low = hex_digit(label[i + 2]);
            if (high >= 0 && low >= 0) {
                out += static_cast<char>(high * 16 + low);
                i += 2;
                continue;
            }
        }
        out += label[i];
    }
    return out;
}

std::string path_of(Kind kind, const std::string& name) {
    const std::string folder = std::string(root_path) + "/" + std::string(path_word(kind));
    char* path = nullptr;
    if (sd_bus_path_encode(folder.c_str(), name.c_str(), &path) < 0) throw std::bad_alloc{};
    const std::unique_ptr<char, decltype(&std::free)> owned(path, &std::free);
    return path;
}

std::string_view path_word(Kind kind) {
    return of(kind).path;
}
std::string_view list_word(Kind kind) {
    return of(kind).list;
}
std::string_view readable(Kind kind) {
    return of(kind).readable;
}
std::string_view interface_name(Kind kind) {
    return of(kind).interface;
}

std::optional<Kind> kind_of_path(std::string_view path) {
    if (!path.starts_with(root_path)) return std::nullopt;
    path.remove_prefix(root_path.size());
    for (const Kind kind : all_kinds) {
        const std::string folder = "/" + std::string(path_word(kind)) + "/";
        if (path.starts_with(folder) && path.size() > folder.size()) return kind;
    }
    return std::nullopt;
}

std::string name_of_path(std::string_view path) {
    if (path == "/") return "-";
    const auto kind = kind_of_path(path);
    if (!kind) return std::string(path);
    const std::string label = decode_label(path.substr(path.rfind('/') + 1));
    return *kind == Kind::job ? "job " + label : label;
}

json Object::json() const {
    nlohmann::json out = properties;
    out["Path"] = path;
    out["Interface"] = interface_name(kind);
    return out;
}

Object make_object(std::string path, Kind kind, nlohmann::json properties) {
    std::string name = text_of(properties, "Name");
    if (name.empty()) name = name_of_path(path);
    return {std::move(path), kind, std::move(name), std::move(properties)};
}

void sort_objects(Objects& objects) {
    std::sort(objects.begin(), objects.end(), [](const Object& a, const Object& b) {
        if (a.kind != b.kind) return a.kind < b.kind;
        const int order = strverscmp(a.name.c_str(), b.name.c_str());
        return order != 0 ? order < 0 : a.path < b.path;
    });
}

Objects of_kind(const Objects& objects, Kind kind) {
    Objects out;
    std::copy_if(objects.begin(), objects.end(), std::back_inserter(out),
                 [&](const Object& object) { return object.kind == kind; });
    return out;
}

const Object* find_path(const Objects& objects, std::string_view path) {
    const auto found = std::find_if(objects.begin(), objects.end(),
                                    [&](const Object& object) { return object.path == path; });
    return found == objects.end() ? nullptr : &*found;
}

std::string text_of(const json& properties, const char* key) {
    const json& value = value_of(properties, key);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

std::uint64_t number_of(const json& properties, const char* key) {
    const json& value = value_of(properties, key);
    const bool natural = value.is_number_unsigned() || (value.is_number_integer() && value >= 0);
    return natural ? value.get<std::uint64_t>() : 0;
}

std::int64_t signed_of(const json& properties, const char* key) {
    const json& value = value_of(properties, key);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

double real_of(const json& properties, const char* key) {
    const json& value = value_of(properties, key);
    return value.is_number() ? value.get<double>() : 0;
}

bool flag_of(const json& properties, const char* key) {
    const json& value = value_of(properties, key);
    return value.is_boolean() && value.get<bool>();
}

const json& list_of(const json& properties, const char* key) {
    static const json none = json::array();
    const json& value = value_of(properties, key);
    return value.is_array() ? value : none;
}

}  // namespace cxlmemctl
