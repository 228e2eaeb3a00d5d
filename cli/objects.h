// SPDX-License-Identifier: LGPL-2.1-or-later
// The daemon's objects as values. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cxlmemctl {

inline constexpr std::string_view root_path = "/org/cxlmemd1";
inline constexpr std::string_view jobs_path = "/org/cxlmemd1/job";

enum class Kind { memdev, region, decoder, dax, node, job };
inline constexpr std::array<Kind, 6> all_kinds = {Kind::memdev, Kind::region, Kind::decoder,
                                                  Kind::dax,    Kind::node,   Kind::job};

[[nodiscard]] std::string_view path_word(Kind kind);       // "memdev": the folder in object paths
[[nodiscard]] std::string_view list_word(Kind kind);       // "memdevs": the argument of list
[[nodiscard]] std::string_view readable(Kind kind);        // "CXL memory device"
[[nodiscard]] std::string_view interface_name(Kind kind);  // "org.cxlmemd1.Memdev"
[[nodiscard]] std::optional<Kind> kind_of_path(std::string_view path);

struct Object {
    std::string path;
    Kind kind = Kind::dax;
    std::string name;           // "dax0.0", "node1", "job 3"
    nlohmann::json properties;  // under the names of the XML

    // The properties and with them Path and Interface: what --json prints.
    [[nodiscard]] nlohmann::json json() const;
};

// By kind, then by name with numbers in numeric order.
using Objects = std::vector<Object>;

// Where the daemon has the object of that name.
[[nodiscard]] std::string path_of(Kind kind, const std::string& name);
[[nodiscard]] Object make_object(std::string path, Kind kind, nlohmann::json properties);
void sort_objects(Objects& objects);
[[nodiscard]] Objects of_kind(const Objects& objects, Kind kind);
[[nodiscard]] const Object* find_path(const Objects& objects, std::string_view path);

// The last part of a path as it was before it was escaped, as sd_bus_path_decode: "dax0.0" for "dax0_2e0",
// "1" for "_31".
[[nodiscard]] std::string decode_label(std::string_view label);

// "dax0.0" for "/org/cxlmemd1/dax/dax0_2e0", "job 3" for a job, "-" for "/"; else the path itself.
[[nodiscard]] std::string name_of_path(std::string_view path);

// Properties by name; a property that is missing or of another type reads as empty, 0 or false.
[[nodiscard]] std::string text_of(const nlohmann::json& properties, const char* key);
[[nodiscard]] std::uint64_t number_of(const nlohmann::json& properties, const char* key);
[[nodiscard]] std::int64_t signed_of(const nlohmann::json& properties, const char* key);
[[nodiscard]] double real_of(const nlohmann::json& properties, const char* key);
[[nodiscard]] bool flag_of(const nlohmann::json& properties, const char* key);
[[nodiscard]] const nlohmann::json& list_of(const nlohmann::json& properties, const char* key);

}  // namespace cxlmemctl
