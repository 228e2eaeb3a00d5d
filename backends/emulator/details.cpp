// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/details.h"

#include <fmt/format.h>

#include <limits>

#include "backends/emulator/description.h"
#include "backends/emulator/values.h"
#include "policy/text.h"

namespace cxlmemd::emulator {

namespace {

constexpr int highest_node = 1023;  // MAX_NUMNODES of the largest configuration, less one

constexpr std::uint64_t longest_duration_usec = 3'600'000'000;

// The value as an unsigned number; strings through `parse`.
template <class Parse>
std::optional<std::uint64_t> unsigned_of(const InjectValue& value, Parse parse) {
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value); number != nullptr && *number >= 0) {
        return static_cast<std::uint64_t>(*number);
    }
    if (const auto* text = std::get_if<std::string>(&value)) return parse(*text);
    return std::nullopt;
}

}  // namespace

const InjectValue* Details::find(const std::string& key) {
    asked_.insert(key);
    const auto it = details_.find(key);
    return it == details_.end() ? nullptr : &it->second;
}

std::optional<std::string> Details::text(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* text = std::get_if<std::string>(value);
    if (text == nullptr) {
        wrong(key, "must be a string");
        return std::nullopt;
    }
    return *text;
}

bool Details::text_is(const std::string& key, std::string_view text) {
    const auto it = details_.find(key);
    if (it == details_.end()) return false;
    const auto* written = std::get_if<std::string>(&it->second);
    if (written == nullptr || *written != text) return false;
    asked_.insert(key);
    return true;
}

std::optional<std::string> Details::device_name(const std::string& key) {
    auto written = text(key);
    if (!written || is_device_name(*written)) return written;
    wrong(key, "must be a device name: 1 to 255 letters, digits and ._:@+-, with a letter or digit first");
    return std::nullopt;
}

std::optional<std::string> Details::word(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* number = std::get_if<std::uint64_t>(value)) return std::to_string(*number);
    if (const auto* number = std::get_if<std::int64_t>(value)) return std::to_string(*number);
    const auto* text = std::get_if<std::string>(value);
    if (text == nullptr) {
        wrong(key, "must be a string or an integer");
        return std::nullopt;
    }
    return *text;
}

std::optional<bool> Details::truth(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto* truth = std::get_if<bool>(value);
    if (truth == nullptr) {
        wrong(key, "must be a boolean");
        return std::nullopt;
    }
    return *truth;
}

std::optional<std::uint64_t> Details::number(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto number = unsigned_of(*value, parse_number);
    if (!number) wrong(key, "must be a number from 0, or a string with one");
    return number;
}

std::optional<std::uint64_t> Details::size(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto size = unsigned_of(*value, parse_size);
    if (size && *size <= max_address) return size;
    wrong(key,
          fmt::format("must be a number of bytes up to {:#x}, or a string such as \"4GiB\"", max_address));
    return std::nullopt;
}

std::optional<int> Details::node(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* number = std::get_if<std::int64_t>(value); number != nullptr && *number == -1) return -1;
    const auto number = unsigned_of(*value, parse_number);
    if (!number || *number > highest_node) {
        wrong(key, fmt::format("must be a node from -1 to {}", highest_node));
        return std::nullopt;
    }
    return static_cast<int>(*number);
}

std::optional<std::uint64_t> Details::duration(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto usec = unsigned_of(*value, parse_duration_usec);
    if (usec && *usec <= longest_duration_usec) return usec;
    wrong(key,
          "must be a number of microseconds, or a string such as \"1.5s\" or \"20ms\", and an hour at most");
    return std::nullopt;
}

std::optional<double> Details::probability(const std::string& key) {
    const InjectValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    std::optional<double> given;
    if (const auto* number = std::get_if<double>(value)) given = *number;
    if (const auto* text = std::get_if<std::string>(value)) given = parse_fraction(*text);
    if (const auto whole = unsigned_of(*value, parse_number); whole && *whole <= 1) given = *whole;
    if (given && *given >= 0.0 && *given <= 1.0) return given;  // no NaN passes that
    wrong(key, "must be a number from 0 to 1");
    return std::nullopt;
}

DaxMode Details::mode() {
    const auto mode = dax_mode_from(text("mode").value_or("system-ram"));
    if (!mode) wrong("mode", "must be system-ram, devdax or unbound");
    return mode.value_or(DaxMode::system_ram);
}

Error detail_error(const std::string& event, const std::string& key, const std::string& reason) {
    return {.code = ErrorCode::invalid_argument,
            .object = visible_part(event, 60),
            .operation = "inject",
            .errnum = 0,
            .reason = fmt::format("detail \"{}\" {}", visible_part(key, 60), reason),
            .advice = {}};
}

std::vector<DetailProblem> Details::problems() const {
    std::vector<DetailProblem> out = problems_;
    for (const auto& [key, value] : details_) {
        if (!asked_.contains(key)) out.push_back({key, "is none that this event has"});
    }
    return out;
}

Result<> Details::finish() const {
    const std::vector<DetailProblem> all = problems();
    return all.empty() ? Result<>{} : fail(detail_error(event_, all.front().key, all.front().reason));
}

}  // namespace cxlmemd::emulator
