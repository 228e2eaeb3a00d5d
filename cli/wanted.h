// SPDX-License-Identifier: LGPL-2.1-or-later
// What `wait` waits for, and how far the machine is from it. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/objects.h"

namespace cxlmemctl {

struct Wanted {
    enum class By { rule, device, node };
    By by = By::rule;
    // What it may be called: one name, or the readings of a systemd instance name. Of a node its number.
    std::vector<std::string> names;
    std::optional<std::uint64_t> bytes;  // > 0; without: all of it, as policy wants it

    // "rule db", "dax0.0", "node1".
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool is_called(const std::string& name) const;
};

// The names that a systemd instance may stand for: itself, with its \xNN read, and as systemd-escape makes
// it of a name with a slash.
[[nodiscard]] std::vector<std::string> instance_names(const std::string& instance);

struct Missing {
    std::string object;  // path; empty: of the machine as a whole
    std::string reason;
};

struct Standing {
    bool matched = false;  // something on the bus is what is waited for
    bool there = false;
    std::uint64_t online = 0;          // bytes that can be used
    std::uint64_t wanted = 0;          // bytes; without --bytes the size of what was found
    std::vector<std::string> devices;  // paths of the dax devices that count
    std::vector<Missing> missing;      // why it is not there; empty if it is
};

[[nodiscard]] Standing stand(const Wanted& wanted, const nlohmann::json& manager, const Objects& objects);

// A job that takes memory of a device away, by hand or for a removal, and is not over; nullptr: none.
[[nodiscard]] const Object* drain_of(const Objects& objects, const Object& device);

// What will be online once the drains that are under way are through: the bytes of devices that no job
// drains.
[[nodiscard]] std::uint64_t staying(const Wanted& wanted, const Objects& objects);

}  // namespace cxlmemctl
