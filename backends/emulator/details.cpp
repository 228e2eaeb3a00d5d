#include "backends/emulator/details.h"

#include <fmt/format.h>

#include <limits>

#include "backends/emulator/values.h"

namespace cxlmemd::emulator {

namespace {

constexpr int highest_node = 1023;  // MAX_NUMNODES of the largest configuration, less one

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

std::optional<std::string> Details::device_name(const std::string& key) {
    auto written = text(key);
    if (!written || is_device_name(*written)) return written;
    wrong(key, "must be a device name: 1 to 255 bytes without '/' and control characters");
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

DaxMode Details::mode() {
    const auto mode = dax_mode_from(text("mode").value_or("system-ram"));
    if (!mode) wrong("mode", "must be system-ram, devdax or unbound");
    return mode.value_or(DaxMode::system_ram);
}

Error Details::error(std::string reason) const {
    return {.code = ErrorCode::invalid_argument,
            .object = event_,
            .operation = "inject",
            .errnum = 0,
            .reason = std::move(reason),
            .advice = {}};
}

void Details::wrong(const std::string& key, const std::string& reason) {
    if (!error_) error_ = error(fmt::format("detail \"{}\" {}", key, reason));
}

Result<> Details::finish() const {
    if (error_) return fail(*error_);
    for (const auto& [key, value] : details_) {
        if (!asked_.contains(key)) return fail(error(fmt::format("there is no detail \"{}\"", key)));
    }
    return {};
}

}  // namespace cxlmemd::emulator
