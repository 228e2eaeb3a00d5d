// SPDX-License-Identifier: LGPL-2.1-or-later
// Configuration of others as policy. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cxlmemctl {

// What another program is told to do with memory, as a rule of ours.
struct ImportedRule {
    std::string name;
    std::string match;   // the inside of an inline table: `kind = ["cxl-ram"]`
    std::string memory;  // the same
    std::vector<std::string> notes;
    bool is_ready = true;  // false: what it is about cannot be written, so it is not to be used as it stands
};

struct Imported {
    std::vector<ImportedRule> rules;
    std::vector<std::string>
        notes;  // about the file as a whole: what the rules do not do, and what to do next
};

// `name` is the file's, for rule names and notes. A file that is neither is read as udev rules.
[[nodiscard]] Imported import_text(const std::string& name, std::string_view text);
[[nodiscard]] Imported import_daxctl(const std::string& name, std::string_view text);
[[nodiscard]] Imported import_udev(const std::string& name, std::string_view text);
[[nodiscard]] Imported import_tmpfiles(const std::string& name, std::string_view text);

// A policy file. Rules that are not ready stand in it as comments.
[[nodiscard]] std::string policy_text(const std::string& name, const Imported& imported);

// Helpers of the readers: no blanks at the ends; a TOML string.
[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::string toml_string(std::string_view text);
// The last part of a path.
[[nodiscard]] std::string_view base_name(std::string_view path);

// The zone that a value written to a block's state or to auto_online_blocks leads to; empty: it is offline,
// or no such value. `notes` gets what that leaves open.
[[nodiscard]] std::string zone_of_state(std::string_view state, std::vector<std::string>& notes);
// Memory that such files bring online and the daemon can: what the kernel's own drivers bind by default.
inline constexpr std::string_view volatile_kinds = R"(kind = ["cxl-ram", "hmem"])";
[[nodiscard]] std::string online_in(std::string_view zone);

}  // namespace cxlmemctl
