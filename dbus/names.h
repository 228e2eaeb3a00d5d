// SPDX-License-Identifier: LGPL-2.1-or-later
// Every public name of the D-Bus API that is not in the introspection XML.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cxlmemd::bus {

inline constexpr const char* service_name = "org.cxlmemd1";
inline constexpr const char* root_path = "/org/cxlmemd1";
inline constexpr const char* emulator_path = "/org/cxlmemd1/emulator";
inline constexpr const char* log_control_path = "/org/freedesktop/LogControl1";
inline constexpr std::string_view error_prefix = "org.cxlmemd1.Error.";

enum class Noun { memdev, region, decoder, dax, node, job };

// "/org/cxlmemd1/dax/dax0_2e0" for (dax, "dax0.0"): NAME escaped as sd_bus_path_encode(3) does.
[[nodiscard]] std::string object_path(Noun noun, std::string_view name);

struct ObjectName {
    Noun noun = Noun::dax;
    std::string name;
};
// What object_path() made the path of; nullopt if it made it of nothing.
[[nodiscard]] std::optional<ObjectName> object_of_path(const std::string& path);

// The NAME of a path that object_path() made for `noun`; empty if it is none of those.
[[nodiscard]] std::string name_of_path(Noun noun, const std::string& path);

}  // namespace cxlmemd::bus
