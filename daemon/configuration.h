// SPDX-License-Identifier: LGPL-2.1-or-later
// The configuration as it lies on disk and what of it is in force, compared by content. Loop thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/config_files.h"
#include "policy/compile.h"
#include "policy/settings.h"

namespace cxlmemd {

// Every file that counts, as it was read.
struct ConfigText {
    std::vector<SourceFile> policy;      // in the order in which their rules are tried
    std::optional<SourceFile> settings;  // nullopt: built in
    std::vector<Problem> unreadable;     // of settings, then of policy
    bool settings_unreadable = false;

    bool operator==(const ConfigText&) const = default;
};

struct LoadedConfig {
    ConfigText text;
    std::vector<PolicyFile> origins;
    std::set<std::string> closed;  // files that not everyone may read
    Settings settings;             // the built-in ones if they have errors
    Policy policy;                 // meaningful only if policy_sound
    bool policy_sound = true;
    std::vector<Problem> problems;  // of settings, then of policy

    [[nodiscard]] std::vector<std::string> policy_names() const;
};

// Reads and compiles everything.
[[nodiscard]] LoadedConfig load_config(const ConfigPaths& paths);

class Configuration final {
 public:
    explicit Configuration(ConfigPaths paths) : paths_(std::move(paths)) {}

    // Reads all files again, and compiles them unless they are as they were read last. True if they
    // were not.
    bool look();
    // What look() would find; changes nothing.
    [[nodiscard]] LoadedConfig peek() const;
    [[nodiscard]] const LoadedConfig& last_read() const { return last_read_; }

    void put_in_force() { in_force_ = last_read_.text; }
    // The files as last read are, byte for byte, those in force.
    [[nodiscard]] bool is_in_force() const { return in_force_ == last_read_.text; }
    // They are not, and could be.
    [[nodiscard]] bool is_pending() const { return !is_in_force() && !has_errors(last_read_.problems); }
    // Files last read or in force that not everyone may read. One that has gone is as it was.
    [[nodiscard]] const std::set<std::string>& closed() const { return closed_; }
    [[nodiscard]] const ConfigPaths& paths() const { return paths_; }

 private:
    ConfigPaths paths_;
    void see_closed();

    LoadedConfig last_read_;
    std::set<std::string> closed_;
    std::optional<ConfigText> in_force_;  // nullopt until a configuration without errors is
};

}  // namespace cxlmemd
