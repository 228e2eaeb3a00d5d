// SPDX-License-Identifier: LGPL-2.1-or-later
// D-Bus values as JSON, under the names that the introspection XML gives them.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

namespace cxlmemctl {

// Structs become arrays, object paths strings. A type that no part of the API uses becomes
// "<signature X>": a newer daemon must not break an older client.
[[nodiscard]] nlohmann::json to_json(const sdbus::Variant& variant);

// A struct that the XML names the fields of becomes an object: the elements of PolicyProblems, Conflicts,
// Ranges, rejected, and LastError and Error themselves. `key` is the property or dictionary key.
[[nodiscard]] nlohmann::json with_field_names(const std::string& key, nlohmann::json value);

// An a{sv}, with field names.
template <class Dictionary>
[[nodiscard]] nlohmann::json dictionary_to_json(const Dictionary& dictionary) {
    nlohmann::json out = nlohmann::json::object();
    for (const auto& [key, value] : dictionary) out[key] = with_field_names(key, to_json(value));
    return out;
}

}  // namespace cxlmemctl
