// SPDX-License-Identifier: LGPL-2.1-or-later
// The daemon's values as text for people. Pure: what comes in is JSON, what goes out is escaped.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/objects.h"
#include "cli/text.h"

namespace cxlmemctl {

// status: the daemon, its policy, and a line for every dax device.
[[nodiscard]] std::string status_view(const nlohmann::json& manager, const Objects& objects,
                                      const Paint& paint);

// list: the table of one kind.
[[nodiscard]] std::string list_view(const Objects& objects, Kind kind, const Paint& paint);

// show: every property, in units that people read.
[[nodiscard]] std::string show_view(const Object& object, const Paint& paint);

// plan: [{"Object": path, action, zone, ...}].
[[nodiscard]] std::string plan_view(const nlohmann::json& plan, const Paint& paint);

// explain.
[[nodiscard]] std::string explain_view(const std::string& path, const nlohmann::json& explanation,
                                       const Paint& paint);

// "file:line:column: error: message", one a line; problems as with_field_names makes them.
[[nodiscard]] std::string problems_view(const nlohmann::json& problems, const Paint& paint);
[[nodiscard]] bool has_errors(const nlohmann::json& problems);

// check without files: {"rules": [...], "files": [...], "problems": [...]}; the problems are not shown.
[[nodiscard]] std::string effective_view(const nlohmann::json& effective, const Paint& paint);

// "dax0.0: online done, 16 blocks": how a job ended, without a newline.
[[nodiscard]] std::string job_end_view(const nlohmann::json& job, const Paint& paint);

// "expanders (10-cxl.toml:3)": the rule that decided and where it stands; empty without a rule.
[[nodiscard]] std::string rule_view(const nlohmann::json& decision);

// "online 16 blocks (2 GiB) in movable": one step of a plan.
[[nodiscard]] std::string step_view(const nlohmann::json& step);

// monitor: one line for an event {"Event": ..., "TimeUsec": ..., ...}, with a newline.
[[nodiscard]] std::string event_view(const nlohmann::json& event, const Paint& paint);

// A property as text: "16 GiB", "yes", "dax0.0, dax1.0".
[[nodiscard]] std::string value_view(const std::string& key, const nlohmann::json& value);

}  // namespace cxlmemctl
