// SPDX-License-Identifier: LGPL-2.1-or-later
// JSON as text, for what the daemon writes down or prints: objects and lists on one line. Pure, any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace cxlmemd {

// With its quotes. What is not UTF-8 becomes visible text (\xNN), so that every reader takes it.
[[nodiscard]] std::string json_string(std::string_view text);

// {"key": value, ...}, in the order of the calls.
class JsonObject final {
 public:
    JsonObject& text(std::string_view key, std::string_view value) { return raw(key, json_string(value)); }
    JsonObject& truth(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
    template <std::integral Number>
    JsonObject& number(std::string_view key, Number value) {
        return raw(key, std::to_string(value));
    }
    // `json` is a value as it stands.
    JsonObject& raw(std::string_view key, std::string_view json);
    [[nodiscard]] std::string take() const { return "{" + out_ + "}"; }

 private:
    std::string out_;
};

class JsonList final {
 public:
    JsonList& raw(std::string_view json);
    [[nodiscard]] std::string take() const { return "[" + out_ + "]"; }

 private:
    std::string out_;
};

}  // namespace cxlmemd
