// SPDX-License-Identifier: LGPL-2.1-or-later
// What the checks of doctor share. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor.h"

namespace cxlmemctl {

// Adds what was seen of an object; the first one is the subject of the next step.
void add_seen(Answer& answer, const std::string& subject, std::string text);

// nullptr, and the answer says so, if the daemon does not answer or the files are not this machine's.
[[nodiscard]] const DaemonFacts* daemon_of(const Facts& facts, Answer& answer);
[[nodiscard]] const HostFacts* host_of(const Facts& facts, Answer& answer);
// The text of a file; nullopt if it is not there, or, and the answer says so, cannot be read.
[[nodiscard]] std::optional<std::string> text_of_file(const FileRead& file, Answer& answer);
// Adds what could not be read.
void add_unread(const std::vector<std::string>& unread, Answer& answer);

// Messages of the conflicts of a kind, as far as `wanted` holds.
void add_conflicts(const Facts& facts, std::string_view kind, Answer& answer,
                   const std::function<bool(const std::string& message)>& wanted = nullptr);

// The first line, without blanks at its ends.
[[nodiscard]] std::string line_of(std::string_view text);
// Lines, numbered from 1, without blanks at their ends; \ at an end joins a line with the next.
void each_line(std::string_view text,
               const std::function<void(std::size_t number, std::string_view line)>& visit);

// Words of the kernel's command line as name and value, up to "--"; "-" in names is "_", as the kernel
// takes it.
struct Parameter {
    std::string name, value;
};
[[nodiscard]] std::vector<Parameter> parameters_of(std::string_view command_line);

// daemon.toml as far as doctor asks.
struct DaemonSettings {
    bool manages = false;   // auto_online = "manage"
    std::string log_level;  // empty: not set
};
[[nodiscard]] DaemonSettings settings_of(const std::string& text);

// The kernel's option that makes new memory come online by itself, as "NAME=y"; empty: none does.
[[nodiscard]] std::string online_by_default(const std::string& config);

}  // namespace cxlmemctl
